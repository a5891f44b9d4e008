/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NAT_H
#define TOF_NAT_H 1

/* NAT: the namespace in which service IPs become application IPs.
 *
 * Place in the flow: br-tof's port "ovs-ue" is the peer of ue0 in here;
 * decapsulated packets come in with source MAC 02:00:<bearer id> and
 * destination MAC 02:00:00:00:<address space>, are DNATed and routed to the
 * Apps adapter; answers leave ue0 with destination MAC 02:00:<bearer id>, by
 * way of the conntrack mark.  What is set up survives tofd. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/service_spec.h"

struct conf;
struct tcp_connection;

/* The device towards the UEs, in the namespace. */
#define NAT_UE "ue0"

/* Namespace, ue0 <-> 'ue_port' (in tofd's namespace), Apps adapter (moved
 * in), addresses, routes, and the nftables table.  Adopts what is there.
 * ue0 and its peer get 'mtu', S1-U's; the routes to UEs 'down_mtu', that of
 * S1-U towards the eNodeBs, or what is configured for paths there if that is
 * less; less the outer headers.  Returns 0 or a positive
 * errno value with '*what' (malloc'd) naming what failed; then nothing that it
 * made is left. */
int nat_init(const struct conf *, const char *ue_port, unsigned int mtu,
             unsigned int down_mtu, char **what);

/* False if links or rules of that are known to be gone.  nat_init() then mends
 * what somebody else has taken away. */
bool nat_in_force(void);

/* Whether the namespace's routes lead to an application (if not, '*why' becomes
 * a constant sentence); and to a UE: not if its address lies in a network of
 * Apps, which would keep their answers to it.  True while that is not known.
 * The third one tells whether they, or links, may have changed since it was
 * called last, for which the descriptor of the fourth one becomes readable (-1:
 * there is none now). */
bool nat_reaches_app(const struct in6_addr *application_ip, const char **why);
bool nat_reaches_ue(const struct in6_addr *ue);
bool nat_routes_changed(void);
int nat_routes_fd(void);

/* What the kernel knows of the way to an application; '*next' becomes the
 * gateway there, or the application itself. */
enum nat_app {
    NAT_APP_ANSWERS,            /* '*next' has answered when last asked. */
    NAT_APP_KNOWN,              /* It knows the MAC address of '*next'. */
    NAT_APP_UNASKED,            /* It has not asked for that lately; or the
                                 * namespace is not there. */
    NAT_APP_ASKED,              /* It is asking, and has no answer yet. */
    NAT_APP_SILENT,             /* It has asked, and nobody has answered. */
    NAT_APP_NO_LINK,            /* The adapter there is down. */
    NAT_APP_SELF,               /* It is an address of the TOF. */
    NAT_APP_NO_ROUTE,
};
enum nat_app nat_find_app(const struct in6_addr *application_ip,
                          struct in6_addr *next);
/* The same, and has the kernel ask '*next'.  It asks three times, every
 * NAT_ASK_MS, until it takes that for silent; what is sent there meanwhile is
 * sent all the same if it was known. */
#define NAT_ASK_MS 250
enum nat_app nat_ask_app(const struct in6_addr *application_ip,
                         struct in6_addr *next);

/* A nonblocking socket in the namespace.  Returns 0 or a positive errno
 * value. */
int nat_socket(int family, int type, int protocol, int *fd);

/* A service that has several applications shares UEs out among so many buckets.
 * nat_bucket(): that of a UE, whatever its address space, in each TOF; what the
 * rules find, too. */
#define NAT_BUCKETS 256
unsigned int nat_bucket(const struct in6_addr *ue);
/* Which application new flows of a UE to a service with several of them go to.
 * (False if that cannot be told, and if the service has not several.) */
bool nat_app_of(const struct in6_addr *service_ip, const struct in6_addr *ue,
                struct in6_addr *application_ip);

/* What packets to a service become.  If it has several applications, 'owners'
 * says for each of the NAT_BUCKETS which one has it, as an index into 'apps',
 * and 'lost', by bits of that number, which ones are down: TCP segments of UEs
 * to those are answered with a reset, unless they begin a connection. */
struct nat_service {
    struct in6_addr service_ip;
    struct in6_addr apps[SERVICE_APPS_MAX];     /* No two are equal. */
    size_t n_apps;
    const uint8_t *owners;
    uint32_t lost;
};

/* Puts a service in or replaces what it becomes; takes one out.  All return 0
 * or a positive errno value, once in force for new flows; nat_flows_run()
 * deletes those to applications that it has no more, and those to one that is
 * lost now, but for open TCP connections, whose UEs it makes send something.
 * All others stay where they are. */
int nat_service_set(const struct nat_service *);
/* Is it still there as it was set?  Which applications the buckets have does
 * not count.  (True if that cannot be told.) */
bool nat_has_service(const struct nat_service *);
/* Whether the application has been set to be lost.  (False if that cannot be
 * told.) */
bool nat_is_lost(const struct in6_addr *service_ip,
                 const struct in6_addr *application_ip);
/* Is there an entry, whatever for?  (False if that cannot be told.) */
bool nat_translates(const struct in6_addr *service_ip);
int nat_service_clear(const struct in6_addr *service_ip);

/* The App of 'n' services is down.  First nat_connections_list() has
 * nat_flows_run() tell what nat_connections_listen() has named of the TCP
 * connections that UEs have open to them, some at a time; done when
 * nat_connections_listed() says so of what it has returned.
 *
 * Then, from nat_services_end() on, TCP segments from UEs to these services are
 * answered with a reset, unless they begin a connection; nat_flows_run() makes
 * each UE with an open one send something, and deletes all other flows.  Until
 * nat_service_resume(), which says whether that was so, or
 * nat_service_clear().  These are in force when they
 * return 0. */
typedef void nat_connections_cb(const struct tcp_connection *, size_t n);
void nat_connections_listen(nat_connections_cb *);
uint64_t nat_connections_list(const struct in6_addr *service_ips, size_t n);
bool nat_connections_listed(uint64_t walk);
int nat_services_end(const struct in6_addr *service_ips, size_t n);
int nat_service_resume(const struct in6_addr *service_ip, bool *ended);

/* No such flow of the service is left: now packets may be diverted to it. */
bool nat_service_ready(const struct in6_addr *service_ip);

/* What is in force, for the check at start. */
int nat_service_dump(void (*cb)(const struct in6_addr *service_ip,
                                const struct in6_addr *application_ip,
                                void *aux), void *aux);

/* What goes to a bearer has to fit its path.  nat_path_set(): with the outer
 * headers it may have 'mtu' bytes, at least 1280, and never more than S1-U
 * has; 0: as is right for most paths.  'was': what was asked for before, or 0.
 * In force after nat_path_run(), which returns 0 or a positive errno value;
 * then nothing of it is, and nat_path_flush() makes all 0 again. */
void nat_path_set(uint32_t bearer_id, bool ipv6, unsigned int was,
                  unsigned int mtu);
int nat_path_run(void);
int nat_path_flush(void);
/* How large a packet to a UE may be on a path of 'mtu' bytes. */
unsigned int nat_path_room(bool ipv6, unsigned int mtu);

/* Gives each flow from UEs the identifier that 'owner' says, which may be that
 * of its bearer still: so that nobody gets answers for a bearer that is gone
 * when its identifier is used again.  (Were they deleted, an answer would be
 * taken for a connection of the App's own.)  The UE's next packet gives a flow
 * its bearer again.  nat_flows_run() does it. */
void nat_flows_reassign(uint32_t (*owner)(uint32_t bearer_id,
                                          uint16_t space));

/* Has nat_flows_run() delete the flows of a service that one of its applications
 * has, even open TCP connections. */
int nat_flows_forget_app(const struct in6_addr *service_ip,
                         const struct in6_addr *application_ip);

/* Walks the table of connections, some 1000 of them in each call.  Returns
 * EINPROGRESS while there is more to do, 0, or another positive errno value;
 * then it will begin anew.  'Done': there is nothing to do. */
int nat_flows_run(void);
bool nat_flows_done(void);
/* A walk that is under way will begin anew. */
void nat_flows_stop(void);

/* Packets and bytes (IP) between a bearer and a service, counted from when
 * the bearer first touched it, by whatever tofd.  'down': to the UE. */
struct nat_usage {
    uint32_t bearer;
    struct in6_addr service_ip;
    bool down;
    uint64_t packets, bytes;
};
typedef void nat_usage_cb(const struct nat_usage *, void *aux);

/* Reads all of them: begins, then calls 'cb' for some in each call, which
 * returns EINPROGRESS while there are more, and 0 with the last of them.
 * EAGAIN: a change of rules has come in between, some may be missing. */
int nat_usage_begin(void);
int nat_usage_next(nat_usage_cb *cb, void *aux);

/* The same of one bearer, service and direction: fills in what is counted at
 * '*usage', zero if nothing is.  Returns 0 or a positive errno value. */
int nat_usage_get(struct nat_usage *usage);

/* Takes out the counts of 'n' pairs and directions.  Not while a reading is
 * under way, which it would tear. */
int nat_usage_forget(const struct nat_usage *, size_t n);

/* Reads what is dropped in there, for /metrics, and how full the table of
 * connections is, for that and the status. */
void nat_poll_counters(void);

/* False if the table of connections, as read last, is so full that no further
 * bearer should be diverted. */
bool nat_has_room(void);

/* From now on 'cb' gets what the rules drop of packets from or to 'ue', a UE's
 * key, up to 'captured' bytes of each, for one UE at a time; and so on when the
 * namespace has been made anew.  nat_trace_run() reads it, when nat_trace_fd()
 * (-1: there is none) is readable, and at least once a round.  Both return 0,
 * or a positive errno value if that does not work in this kernel now (EPERM:
 * somebody else has that group of NFLOG); then they try it no more. */
struct nat_drop {
    bool down;                  /* To the UE; else from it. */
    const uint8_t *ip;
    size_t len;                 /* Bytes there; the packet may have more. */
    const char *reason;         /* A constant word. */
};
typedef void nat_drop_cb(const struct nat_drop *);
int nat_trace_start(const struct in6_addr *ue, size_t captured,
                    nat_drop_cb *cb);
int nat_trace_run(void);
int nat_trace_fd(void);
/* Packets that there was no room for, since it began. */
uint64_t nat_trace_lost(void);
/* May be called if there is none. */
void nat_trace_stop(void);

void nat_close(void);

#endif /* nat/nat.h */
