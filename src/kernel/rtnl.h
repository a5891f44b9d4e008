/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_RTNL_H
#define TOF_RTNL_H 1

/* Network namespaces, links, addresses, routes and neighbours over
 * rtnetlink (libmnl): what the TOF needs to build its own plumbing.
 *
 * All functions that make something adopt what is there already and differs
 * only in ways that do not matter, so that a restarted tofd can run its set-up
 * again without a packet lost.  All return 0 or a positive errno value. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* A network namespace with a name in /run/netns, as `ip netns` makes them.
 * netns_ensure() makes it (loopback up) if it is missing, opens it, and says
 * by '*made' (may be NULL) whether it made it.  netns_open(NULL) opens the
 * caller's own. */
int netns_ensure(const char *name, int *fd, bool *made);
int netns_open(const char *name, int *fd);
int netns_delete(const char *name);

/* Calls 'cb' inside the namespace 'fd' (-1: where it is) and comes back;
 * returns what 'cb' returned (0 or a positive errno value).  For sockets and
 * sysctls. */
int netns_call(int fd, int (*cb)(void *aux), void *aux);

/* One rtnetlink socket inside one namespace. */
struct rtnl;
int rtnl_open(int netns_fd, struct rtnl **);
void rtnl_close(struct rtnl *);

struct rtnl_link {
    int ifindex;
    bool up;                    /* IFF_UP. */
    bool carrier;               /* IFF_LOWER_UP. */
    unsigned int mtu;
    uint8_t mac[6];
    int master;                 /* ifindex of the bridge, or 0. */
};

/* ENODEV if there is none. */
int rtnl_link_get(struct rtnl *, const char *name, struct rtnl_link *);

/* A veth pair: 'name' in the socket's namespace, 'peer' in 'peer_netns_fd'
 * (-1: the same one).  If both ends exist it is adopted (MTU set). */
int rtnl_veth_ensure(struct rtnl *, const char *name, const char *peer,
                     int peer_netns_fd, unsigned int mtu);
int rtnl_link_delete(struct rtnl *, const char *name);      /* 0 if gone. */
int rtnl_link_set_up(struct rtnl *, const char *name, bool up);
int rtnl_link_set_mtu(struct rtnl *, const char *name, unsigned int mtu);
int rtnl_link_move(struct rtnl *, const char *name, int netns_fd);
/* addrgenmode none: no IPv6 link-local address of its own. */
int rtnl_link_no_addrgen(struct rtnl *, const char *name);

/* From now on each packet that comes in by 'link' of that namespace loses its
 * VLAN tag, and has it as its mark instead; or 0 if it had none. */
#define LINK_TAG_PRESENT 0x10000        /* | TCI */
int link_untag(int netns_fd, const char *link);

/* 'addr' as IPv4-mapped IPv6 for IPv4; 'prefix_len' of the family's own
 * length.  An address or route that is there already is success. */
int rtnl_addr_ensure(struct rtnl *, const char *link,
                     const struct in6_addr *addr, unsigned int prefix_len);
/* 'via' NULL: directly on the link.  'onlink': the gateway need not be in a
 * connected network.  'route_mtu' 0: none.  Replaces a route to the same
 * prefix. */
int rtnl_route_replace(struct rtnl *, const char *link,
                       const struct in6_addr *dst, unsigned int prefix_len,
                       const struct in6_addr *via, bool onlink,
                       unsigned int route_mtu);
/* A permanent neighbour. */
int rtnl_neigh_replace(struct rtnl *, const char *link,
                       const struct in6_addr *addr, const uint8_t mac[6]);

/* Writes 'value' to /proc/sys/PATH (printf style path) as seen inside the
 * namespace 'netns_fd' (which needs only that namespace, no mount). */
int sysctl_write(int netns_fd, const char *value, const char *path, ...)
    __attribute__((format(printf, 3, 4)));

/* `ethtool -K LINK tx off`, `txvlan off`, `rxvlan off`, `tso off`, `gro off`,
 * as bits. */
enum {
    OFFLOAD_TX_CSUM = 1 << 0,
    OFFLOAD_TX_VLAN = 1 << 1,
    OFFLOAD_RX_VLAN = 1 << 2,
    OFFLOAD_TSO = 1 << 3,
    OFFLOAD_GRO = 1 << 4,
};
int ethtool_offload_off(int netns_fd, const char *link, unsigned int which);

/* `ethtool -K LINK gro on`: a veth whose peer sends by XDP needs it. */
int ethtool_gro_on(int netns_fd, const char *link);

/* Whether packets can be redirected to the interface by its driver, by what
 * the kernel tells, or where it does not (before Linux 6.3) by trying it with
 * one frame: once, or for a veth every 10 seconds at most, as its peer may
 * change.  '*can' is false if an error is returned; ENETDOWN means that
 * without carrier this cannot be found out. */
int netdev_can_xdp_xmit(int ifindex, bool *can);
/* Trying only. */
int netdev_try_xdp_xmit(int ifindex, bool *can);

#endif /* kernel/rtnl.h */
