/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ENDPOINT_H
#define TOF_ENDPOINT_H 1

/* GTP Tunnel Endpoints: one small interface, several implementations.
 *
 * Place in the flow: agent.c, which knows bearers and services, tells an
 * endpoint which ones are diverted; the endpoint brings filter, tunnels and
 * classifier there, and reports when it has.
 *
 *   ovs/endpoint.c   GTP-patched Open vSwitch
 *   xdp/endpoint.c   eBPF programs in the kernel */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/tunnel.h"

struct conf;
struct flow;
struct l2_header;
struct service_spec;

enum endpoint_direction { ENDPOINT_UP, ENDPOINT_DOWN };

/* What becomes of packets to a service. */
enum endpoint_service {
    ENDPOINT_SWITCHES,
    ENDPOINT_DIVERTS,
    ENDPOINT_BYPASSES,          /* The filter decides; the endpoint takes what
                                 * send_app() gives it, and answers. */
};

/* What the data plane itself has of a bearer that the endpoint has called
 * ready. */
struct endpoint_look {
    const char *lacks;          /* A clause: what is not there, though it should
                                 * be.  NULL: nothing. */
    long long int seen;         /* When a packet of its UE last came by, or a
                                 * proof made up for one, ms; LLONG_MIN: too
                                 * long ago, so that the next one is held. */
};

/* A packet of the UE that is traced. */
struct traced_packet {
    uint64_t time;              /* ns since 1970. */
    enum endpoint_direction direction;
    const uint8_t *frame;       /* From its Ethernet header on; if not
                                 * 'tunnelled', from anything on. */
    size_t captured;            /* Bytes there; */
    size_t length;              /* the frame has so many. */
    size_t offset;              /* Of the UE's packet in it. */
    bool tunnelled;             /* In the UE's tunnel... */
    bool bare;                  /* ...or not.  Both: it went in or out here. */
    const char *where;          /* Where it goes: a word, and constant. */
    const char *reason;         /* Why; likewise. */
};

struct endpoint_events {
    /* The bearer is programmed: what has been held for it may go. */
    void (*bearer_ready)(uint32_t id);
    /* It cannot be programmed: what has been held for it goes the normal way.
     * It is not diverted; bearer_set() may be called again. */
    void (*bearer_refused)(uint32_t id);
    /* An answer for a bearer whose evidence has run out.  'frame' starts at
     * the Ethernet header and is the caller's. */
    void (*held_down)(uint32_t id, const uint8_t *frame, size_t len);
    /* An app opens a connection to UE address 'ue': no bearer in it. */
    void (*unclaimed)(const struct in6_addr *ue, const uint8_t *frame,
                      size_t len);
    /* An answer to UE address 'ue' in address space 'space', whose bearer is
     * gone. */
    void (*orphaned)(const struct in6_addr *ue, uint16_t space,
                     const uint8_t *frame, size_t len);
    /* Diverted packets and bytes in one direction: all until 'read', and
     * maybe some that came since. */
    void (*counters)(uint32_t id, enum endpoint_direction,
                     uint64_t packets, uint64_t bytes, long long int read);
    /* The UE has sent something, to whomever, that nobody copied, the last of
     * it not before 'since'; and part of it was switched, if 'forwarded'. */
    void (*alive)(uint32_t id, bool forwarded, long long int since);
    /* The UE's IP packet 'ip' has been diverted, but the endpoint had no flow
     * for its tunnel: not yet, or not any more. */
    void (*missed)(const struct tunnel *, const void *ip, size_t len);

    /* Another UE's packet has been seen in the bearer's downlink tunnel. */
    void (*reused)(uint32_t id);
    /* A packet of the UE that trace_start() has named, or of another one with
     * an address of the same key.  The packet is the caller's. */
    void (*traced)(const struct traced_packet *);
    /* So many have gone untold, since the trace began. */
    void (*traces_lost)(uint64_t n);
    /* The same as counters() for a service. */
    void (*service_counters)(const struct in6_addr *service_ip,
                             enum endpoint_direction,
                             uint64_t packets, uint64_t bytes);
};

/* Whether 'a' and 'b' are the same UE's in the same tunnels. */
static inline bool
endpoint_same_tunnels(const struct endpoint_bearer *a,
                      const struct endpoint_bearer *b)
{
    return (!memcmp(&a->up, &b->up, sizeof a->up)
            && !memcmp(&a->down, &b->down, sizeof a->down)
            && IN6_ARE_ADDR_EQUAL(&a->ue, &b->ue));
}

/* No method is NULL. */
struct endpoint_class {
    const char *name;
    /* Fed through FILTER_ENB_LINK and FILTER_SGW_LINK, with heartbeats: the
     * filter diverts and guards for it. */
    bool fed_by_links;
    const char *ue_port;        /* Peer of ue0. */
    /* Its event traced() has what send_app() delivers, too. */
    bool traces_sent;

    void (*init)(const struct conf *, const struct endpoint_events *);
    /* Makes the links between filter and endpoint, or adopts them.  'mtu':
     * S1-U's.  Returns 0 or a positive errno value with '*what'
     * (malloc'd). */
    int (*plumb)(unsigned int mtu, char **what);
    /* Are all of them still there? */
    bool (*plumbed)(void);
    /* Says how it is (status.h); 'up': all of the data plane is. */
    void (*report)(bool up);
    void (*close)(void);
    void (*run)(void);
    void (*wait)(void);

    /* All that was asked for before is known; from now on make the data
     * plane so.  (A restarted tofd first asks for what the journal has.) */
    void (*start)(void);
    /* Able to divert now. */
    bool (*ready)(void);

    /* Diverts a proved bearer, or renews its proof, which is good for the
     * evidence time less 'silent_ms'.  'adopted': the filter diverts it
     * already (restart). */
    void (*bearer_set)(const struct endpoint_bearer *, bool adopted);
    /* 'cb' says whether a bearer that an earlier tofd diverted is still to be;
     * others are diverted no more.  Returns false if the endpoint does not
     * know what is diverted: the filter does. */
    bool (*adopt)(bool (*cb)(const struct endpoint_bearer *));
    /* Packets of that tunnel that came in on 'from' may be switched without a
     * copy for a while; 'ue' is the UE's address in it. */
    void (*learned)(enum filter_side from, const struct tunnel *,
                    const struct in6_addr *ue);
    /* The next packet in either tunnel of the bearer is copied again. */
    void (*unlearn)(const struct endpoint_bearer *);
    /* Its proof is too old: its service packets and answers come to the agent
     * until bearer_set() is called again. */
    void (*bearer_pause)(const struct endpoint_bearer *);
    /* Back to switching, from the next filter_run() on. */
    void (*bearer_clear)(const struct endpoint_bearer *);
    /* Looks at the data plane, and changes nothing. */
    void (*bearer_look)(const struct endpoint_bearer *,
                        struct endpoint_look *);
    /* The same of a bearer that is paused, or not diverted: a clause, what is
     * there of it, though it should not be.  NULL: nothing. */
    const char *(*bearer_left)(const struct endpoint_bearer *);

    /* A service's chain and classification.  service_set() returns 0 or a
     * positive errno value; it is in force when service_ready() says so.  If
     * the service is diverted already, with another chain, it stays so
     * meanwhile. */
    int (*service_set)(const struct service_spec *);
    void (*service_clear)(const struct in6_addr *service_ip);
    /* False if a function of its chain is not there; '*why', good until the
     * next call, then says what is missing.  True if that is not known. */
    bool (*service_possible)(const struct service_spec *, const char **why);
    bool (*service_ready)(const struct in6_addr *service_ip);
    /* Last of all but the filter: packets to it are diverted, or not any more.
     * Returns 0 or a positive errno value; in force then. */
    int (*service_divert)(const struct in6_addr *service_ip,
                          enum endpoint_service);

    /* The filter switches the packets of that connection to a service, which
     * are therefore not for the endpoint; these are all that there are. */
    void (*stay)(const struct flow *);
    void (*stay_all)(const struct flow *, size_t n);

    /* Sends the IP packet up the bearer's uplink tunnel with its source
     * address, which is unspecified, replaced by 'ue_addr', and checksums
     * mended.  EAGAIN: the way is being prepared. */
    int (*send_up)(const struct endpoint_bearer *, const void *ip,
                   size_t len);
    /* Delivers the UE's IP packet to the service that it is for, as if the
     * endpoint had just decapsulated it.  ENOBUFS: too many at once. */
    int (*send_app)(const struct endpoint_bearer *, const void *ip,
                    size_t len);
    /* Sends the frame, as it came with held_down(), unclaimed() or orphaned(),
     * down the bearer's downlink tunnel. */
    int (*send_down)(const struct endpoint_bearer *, const void *frame,
                     size_t len);
    /* Ethernet headers of built packets from 'src' to 'dst' follow. */
    void (*path_changed)(enum filter_side from, const struct in6_addr *src,
                         const struct in6_addr *dst,
                         const struct l2_header *);
    /* Asks for counters(), in the background. */
    void (*poll_counters)(void);

    /* Events traced() for the packets of 'ue', a UE's key, from now on, until
     * trace_stop() is called; or for that many seconds, if nobody lives to
     * call it.  Returns 0 or a positive errno value. */
    int (*trace_start)(const struct in6_addr *ue, unsigned int seconds);
    void (*trace_stop)(void);
};

#endif /* gtp/endpoint.h */
