/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_RTNL_H
#define TOF_RTNL_H 1

/* Links, addresses, routes and neighbours over rtnetlink (libmnl): what the
 * TOF needs to build its own plumbing.
 *
 * All functions that make something adopt what is there already and differs
 * only in ways that do not matter, so that a restarted tofd can run its set-up
 * again without a packet lost.  All return 0 or a positive errno value. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* One rtnetlink socket inside one namespace. */
struct rtnl;
int rtnl_open(int netns_fd, struct rtnl **);
void rtnl_close(struct rtnl *);

struct rtnl_link {
    int ifindex;
    char name[16];
    bool up;                    /* IFF_UP. */
    bool carrier;               /* IFF_LOWER_UP. */
    unsigned int mtu;
    uint8_t mac[6];
    int master;                 /* ifindex of the bridge, or 0. */

    bool bridge;                /* It is one; then */
    bool vlan_filtering;
    bool netfilter;             /* one of its own nf_call_* is on. */

    bool port;                  /* It is a bridge's; then */
    bool forwarding;            /* its state is that; */
    bool learning, flood, isolated;
};

/* ENODEV if there is none. */
int rtnl_link_get(struct rtnl *, const char *name, struct rtnl_link *);
int rtnl_link_get_by_index(struct rtnl *, int ifindex, struct rtnl_link *);

/* From rtnl_watch() on, rtnl_changed() tells whether any link of the namespace
 * has been added, changed or deleted since it was called last, for which
 * rtnl_fd() becomes readable.  Such a socket is for this alone. */
int rtnl_watch(struct rtnl *);
/* Likewise whether any route may have been. */
int rtnl_watch_routes(struct rtnl *);
bool rtnl_changed(struct rtnl *);
int rtnl_fd(const struct rtnl *);

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

/* 'addr' as IPv4-mapped IPv6 for IPv4; 'prefix_len' of the family's own
 * length.  An address or route that is there already is success. */
int rtnl_addr_ensure(struct rtnl *, const char *link,
                     const struct in6_addr *addr, unsigned int prefix_len);
struct rtnl_route {
    struct in6_addr dst;
    unsigned int prefix_len;
    const struct in6_addr *via; /* NULL: directly on the link. */
    bool onlink;                /* The gateway need not be in a connected
                                 * network. */
    unsigned int mtu;           /* 0: none. */
    uint32_t table;             /* 0: the main one. */
};
/* Replaces a route to the same prefix. */
int rtnl_route_replace(struct rtnl *, const char *link,
                       const struct rtnl_route *);
/* Packets of 'family' that come in by 'iif' with that mark go by 'table'. */
int rtnl_rule_ensure(struct rtnl *, sa_family_t family, const char *iif,
                     uint32_t mark, uint32_t table);
/* How the kernel would send to 'dst', or receive what is for the host itself.
 * An error if not at all. */
struct rtnl_way {
    int ifindex;                /* Of the interface. */
    uint8_t type;               /* RTN_* */
    struct in6_addr next;       /* The gateway, or 'dst' itself. */
};
int rtnl_route_get(struct rtnl *, const struct in6_addr *dst,
                   struct rtnl_way *);

/* A permanent neighbour. */
int rtnl_neigh_replace(struct rtnl *, const char *link,
                       const struct in6_addr *addr, const uint8_t mac[6]);
/* What the kernel knows of the neighbour 'addr' at that interface: NUD_* in
 * '*state'.  ENOENT if it has not asked for it lately. */
int rtnl_neigh_get(struct rtnl *, int ifindex, const struct in6_addr *addr,
                   uint16_t *state);
/* Has the kernel ask for the neighbour, of which rtnl_neigh_get() has told
 * 'state' (0: nothing): whether it is still there, or where it is.  Does
 * nothing while it asks already, and for one that is not asked for. */
int rtnl_neigh_ask(struct rtnl *, int ifindex, const struct in6_addr *addr,
                   uint16_t state);

#endif /* kernel/rtnl.h */
