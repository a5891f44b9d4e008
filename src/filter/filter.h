/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FILTER_H
#define TOF_FILTER_H 1

/* GTP Filter: which packets on S1-U are switched, copied, held or diverted.
 *
 * Place in the flow: first of all.  nftables chains at the ingress of both
 * S1-U adapters look at every packet; what is copied or held goes by veth to
 * the learn namespace and its queues (nfq.c), what is diverted by veth to the
 * tunnel endpoints.  detect.c tells which tunnels are learned, ovs/endpoint.c
 * which bearers and services are diverted.
 *
 * Two tables.  "netdev tof" survives tofd: it switches, copies, and diverts
 * proved bearers for as long as the kernel itself sees Open vSwitch alive
 * (set "live", kept by heartbeat frames) and the UE not silent (timeouts of
 * set "divert").  "netdev tof_hold" belongs to tofd's socket and dies with it,
 * and each of its rules needs the set "lease", which tofd renews: without
 * them, what would be held is switched.
 *
 * What Open vSwitch sends towards the eNodeBs is guarded: it leaves only if
 * set "down" has the downlink tunnel and the UE in it.
 *
 * Filter rules 1 to 10 are those of doc/ARCHITECTURE.md. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/tunnel.h"

struct conf;
struct flow;

/* Queues in the learn namespace, one a purpose; also the mark of a packet to
 * be held. */
enum filter_queue {
    QUEUE_COPY_ENB,
    QUEUE_COPY_SGW,
    QUEUE_HOLD_ENB,
    QUEUE_HOLD_SGW,
    N_QUEUES
};

/* Names of our own interfaces beside the S1-U adapters. */
#define FILTER_ENB_LINK "tof-enb"       /* Its peer is OVS's port. */
#define FILTER_SGW_LINK "tof-sgw"
#define FILTER_QUEUE_LINK "tof-q%d"     /* Its peer is q%d in tof-learn. */

static inline bool
queue_is_held(enum filter_queue q)
{
    return q == QUEUE_HOLD_ENB || q == QUEUE_HOLD_SGW;
}

/* Whose packets they are. */
static inline enum filter_side
queue_side(enum filter_queue q)
{
    return (q == QUEUE_COPY_ENB || q == QUEUE_HOLD_ENB ? SIDE_ENB : SIDE_SGW);
}

/* Pairs of outer addresses whose Ethernet headers are known, at most. */
#define L2_MAX 65536

/* Puts the tables in force, or adopts those that an earlier tofd left.  All
 * links must exist.  'links': the endpoint is fed by FILTER_ENB_LINK and shows
 * by heartbeats that it lives; without, no packet is diverted by the filter,
 * and held ones depend on the lease alone.  'tagged': VLAN-tagged packets can
 * be copied and held.  Returns 0 or a positive errno value with '*what'
 * (malloc'd). */
int filter_init(const struct conf *, bool links, bool tagged, char **what);
/* Diversion goes on without us; the calls below do nothing, or return
 * ENOTCONN. */
void filter_close(void);

/* Commits what the calls below have gathered, and renews the lease. */
int filter_run(void);
void filter_wait(void);

/* What would be held is switched, from now until filter_close(). */
void filter_hold_nothing(void);

/* Stops copies of 'tunnel' with packets of family 'inner' (AF_INET, AF_INET6)
 * in it, for a while: a later one is copied again, which shows that it is
 * alive. */
void filter_learned(const struct tunnel *tunnel, sa_family_t inner);
/* The next packet in either tunnel of the bearer is copied again. */
void filter_unlearn(const struct endpoint_bearer *);

/* From the next filter_run() on,
 *
 * filter_guard() lets packets for the bearer's UE in its downlink tunnel out,
 * and has natural ones for others in it copied;
 * filter_divert() diverts service packets of the bearer, for 'left_ms' (what
 * is left of the evidence time of its proof), and then until its UE has been
 * silent for the evidence time; filter_undivert() ends both.
 *
 * 'ue' of the bearer is its UE key: an IPv4 address, or a /64 prefix with
 * zeros behind. */
void filter_guard(const struct endpoint_bearer *);
void filter_divert(const struct endpoint_bearer *, uint64_t left_ms);
void filter_undivert(const struct endpoint_bearer *);

/* The connection stays on the normal way from the next filter_run() on, until
 * it has been silent for FLOW_TCP_MS or FLOW_OTHER_MS, or begins anew.
 * 'again': it may do so already.  Its tunnel has to have been noted, as one
 * that has such connections, in the last FLOW_OTHER_MS, but not twice before a
 * filter_run(). */
void filter_stay(const struct flow *, bool again);
void filter_stay_tunnel(const struct flow *);
/* Whether it does now. */
bool filter_stays(const struct flow *);

/* filter_committed(filter_seqno()): what had been asked for when
 * filter_seqno() was called is in force. */
uint64_t filter_seqno(void);
bool filter_committed(uint64_t seqno);

/* Another number after each filter_init(): what was asked for before may be
 * lost, and guards have to be asked for again. */
unsigned int filter_epoch(void);

/* Diverts no bearer any more. */
int filter_divert_flush(void);

/* In force when they return 0. */
int filter_service_set(const struct in6_addr *service_ip);
int filter_service_clear(const struct in6_addr *service_ip);

/* The Apps of 'n' services are down: what is for these is switched, but for TCP
 * connections that have been given to filter_connections_end(), which are held,
 * until the UE begins them anew.  Until filter_service_set() or _clear().  Both
 * are in force, for all of them, when they return 0.  Of connections there are
 * FILTER_ENDED_MAX at most, for FILTER_ENDED_MS; others are switched. */
#define FILTER_ENDED_MAX 65536
#define FILTER_ENDED_MS (3600 * 1000)
int filter_services_bypass(const struct in6_addr *service_ips, size_t n);
int filter_connections_end(const struct tcp_connection *, size_t n);

/* Is it still there?  Somebody else may take elements out.  (True if that
 * cannot be told.) */
bool filter_has_service(const struct in6_addr *service_ip);
bool filter_has_guard(const struct endpoint_bearer *);

/* Looks up what diverts a bearer.  Returns 0, and for how much longer without a
 * packet in '*left_ms'; ENOENT if it is not diverted; EIO if by half, since
 * somebody else has taken out a part of it, and '*left_ms' is that of the
 * other; ENOTCONN or another error. */
int filter_divert_get(const struct endpoint_bearer *, uint64_t *left_ms);

/* Diverts a bearer again, for as long as it would have been, that is known to
 * be diverted by half: its UE would be taken for a stranger in its tunnel.
 * Returns true if it was so. */
bool filter_mend_divert(const struct endpoint_bearer *);

/* What is in force, for the check at start. */
typedef void filter_bearer_cb(const struct tunnel *, const struct in6_addr *ue,
                              void *aux);
int filter_divert_dump(filter_bearer_cb *, void *aux);
int filter_guard_dump(filter_bearer_cb *, void *aux);
typedef void filter_flow_cb(const struct flow *, void *aux);
int filter_stay_dump(filter_flow_cb *, void *aux);
int filter_service_dump(void (*cb)(const struct in6_addr *, void *aux),
                        void *aux);

/* Ethernet header seen lately on packets from 'src' to 'dst' that came in on
 * 'side', from the map that the kernel fills.  ENOENT if none was seen. */
int filter_l2_get(enum filter_side, const struct in6_addr *src,
                  const struct in6_addr *dst, struct l2_header *);
/* Has the kernel note it anew. */
void filter_l2_forget(enum filter_side, const struct in6_addr *src,
                      const struct in6_addr *dst);

/* Reads the filter's counters for /metrics. */
void filter_poll_counters(void);

/* True if all links and tables, and what filter_init() has put into sets, are
 * still there. */
bool filter_in_force(void);

/* True if heartbeats through Open vSwitch reach the filter. */
bool filter_endpoint_is_live(void);

#endif /* filter/filter.h */
