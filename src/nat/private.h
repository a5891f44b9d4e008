/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NAT_PRIVATE_H
#define TOF_NAT_PRIVATE_H 1

/* What nat.c (the namespace), services.c (what is translated), usage.c (what
 * is counted), paths.c (how large it may be), rules.c (the rules), ends.c (what
 * does not pass) and trace.c (who looks on) share. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/nft.h"

struct conf;
struct conntrack;
struct nftnl_rule;
struct rtnl;

/* The namespace, once nat_init() has succeeded. */
struct nat {
    bool open;
    int netns;                  /* File descriptor. */
    const struct conf *conf;
    struct rtnl *inside;        /* Links in there. */
    struct rtnl *watch;         /* Tells that routes in there have changed. */
    int ue_ifindex;             /* Of ue0. */
    uint64_t weight;            /* Of the rules: nft_table_weigh(). */
    struct nft *nft;
    struct nft *reader;         /* For what is read part by part. */
    struct conntrack *ct;
    int raw[2];                 /* Sockets for packets of our own, by
                                 * family; -1: none. */
    unsigned int adapter_mtu;   /* Of S1-U towards the eNodeBs; and of most */
    unsigned int path_mtu;      /* paths there. */
};
extern struct nat nat;

/* What may come in front of a packet to a UE within the MTU of its path: IPv6,
 * UDP, GTP-U, a PDU Session Container with the 4 bytes that announce it; and 4
 * bytes spare. */
enum { NAT_OUTER_HEADERS = 40 + 8 + 8 + 8 + 4 };

#define NAT_IPV6_MTU_MIN 1280   /* RFC 8200: no link has less. */

/* The default route to UEs of a family ([0] IPv4, [1] IPv6) in a table (0: the
 * main one): what they get has at most 'room' bytes. */
int nat_route_ues(int family, unsigned int room, uint32_t table);

/* Maps of nat_inet: bearers whose paths are not as wide as most, to the mark
 * NAT_PATH_MARK + room, which leads to a routing table; and to the TCP MSS (in
 * network byte order, padded). */
extern const struct nft_set nat_paths, nat_path_mss;

/* No bearer has such an identifier, and no flow that has lost its own
 * (ue_frame.h). */
#define NAT_PATH_MARK 0xfe000000u
#define NAT_PATH_MARK_MASK 0xff000000u

void nat_path_abort(void);

/* inet: tracking, translation, forwarding.  netdev: ue0's own hooks. */
extern const struct nft_table nat_inet, nat_netdev;

/* Maps of nat_inet: service to application, and application to the service
 * that its own connections seem to come from.  By family: [0] IPv4, [1]
 * IPv6. */
extern const struct nft_set nat_services[2], nat_apps[2];

/* The same of services that have several applications.  Maps: service and bucket
 * (in host byte order) to application; service and application to how many of
 * these the service has.  A set: service and application, if that one is down,
 * so that its connections are reset.  In the map of services, such a service has
 * the first one. */
extern const struct nft_set nat_buckets[2], nat_members[2], nat_lost[2];

/* Sets of nat_inet: services whose connections are reset. */
extern const struct nft_set nat_ending[2];

/* Sets of nat_inet whose elements count: bearer id and service.  By family
 * and direction, which are bits of the index. */
enum { NAT_COUNT_DOWN = 1, NAT_COUNT_IPV6 = 2, NAT_N_COUNTS = 4 };
extern const struct nft_set nat_counts[NAT_N_COUNTS];

/* What nat_bucket() and nat_x_bucket() have in common.  All TOFs have the same
 * seed, so that a UE keeps its application when another one serves it. */
#define NAT_BUCKET_SEED 0x546f4661
#define NAT_BUCKET_IPV6_LEN 8   /* Bytes of the address: a UE has a /64. */

/* reg = the bucket of the UE that has sent the packet.  'family': 0 for IPv4, 1
 * for IPv6.  Uses up the next register, too. */
void nat_x_bucket(struct nftnl_rule *, int family, uint32_t reg);

/* Puts all into the batch: tables, maps, chains, rules.  What is there stays,
 * the maps with what is in them, except for the rules, which are replaced. */
void nat_rules(struct nft_batch *, const struct conf *);

/* The ends of packets that do not pass: for each reason a chain of that name,
 * with what becomes of them.  Makes these chains; fills them anew, so that
 * packets from or to 'traced', a UE's key, are told first (trace.c), unless
 * that is NULL. */
struct nat_end {
    const char *reason;
    const struct nft_table *table;
    bool down;                  /* Of packets to UEs; else from UEs. */
    void (*verdict)(struct nftnl_rule *);
};
void nat_ends_add(struct nft_batch *);
void nat_ends_fill(struct nft_batch *, const struct in6_addr *traced);
/* NULL: there is no such reason. */
const struct nat_end *nat_end_find(const char *reason);

/* The namespace is closed, and with it what is told; it goes on when it is open
 * again. */
void nat_trace_abort(void);

/* The sum of nft_table_weigh() for both tables. */
int nat_weigh(uint64_t *weight);

#define NAT_LOG_GROUP 2152      /* Of NFLOG: to whom they are told. */

/* Sends the UE at the other end of a connection an empty segment, as from the
 * App, whose numbers mean nothing: its answer says which do (RFC 9293, section
 * 3.10.7.4).  Addresses and ports as answers have them before translation,
 * ports in network byte order. */
struct nat_tcp {
    struct in6_addr app, ue;
    uint16_t app_port, ue_port;
};
int nat_probe_open(void);
void nat_probe_close(void);
void nat_probe_ue(const struct nat_tcp *);

/* Has nat_flows_run() delete the flows of a service; and of others, or those
 * that one of a service's applications has, all but open TCP connections, whose
 * UEs it has sent that. */
int nat_flows_forget(const struct in6_addr *service_ip);
int nat_flows_end(const struct in6_addr *service_ips, size_t n);
int nat_flows_end_app(const struct in6_addr *service_ip,
                      const struct in6_addr *application_ip);

#endif /* nat/private.h */
