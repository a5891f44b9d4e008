/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SESSION_H
#define TOF_SESSION_H 1

/* The session table: which UE has which bearers, and what is known of each
 * bearer's two tunnels.
 *
 * Place in the flow: detect.c puts in what it hears (an uplink G-PDU, a proof
 * from the Pinger, an End Marker) and takes out what the data plane should
 * hold; the REST API reads.  No I/O here: times are passed in, in milliseconds
 * of time_msec(), but for when a proof has ended.
 *
 * Rules (3GPP TS 29.281, 23.401, 23.007): a tunnel is identified by its
 * receiving address and TEID (F-TEID).  Its sender may change at any time and
 * is evidence, not identity.  A downlink tunnel is used only while proved.
 *
 * A pair of tunnels of a PDN connection of type IPv4v6 carries both of a UE's
 * addresses.  Here that is two bearers, each with an identifier and a session
 * of its own, which are a dual-stack pair once they are known to be one UE's.
 * A bearer is identified by its uplink F-TEID and the family of its UE's
 * address.  What ends a tunnel ends the proofs of both.
 *
 * Behind one SGW two UEs may have one address, in networks of their own.  On
 * the other hand one UE may have several bearers.  So a new bearer has a
 * session of its own.  The gateway chooses the bearer of a reply to the Pinger
 * by filters that see nothing but the reply (TS 23.401 clause 4.7.2.2), so a
 * UE's replies all come by one downlink tunnel: a bearer that is first answered
 * by the one that answers another bearer, of the same address, joins that one's
 * session.  Then it is placed: a session's address space is that of its
 * flows. */

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/counters.h"
#include "base/tunnel.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

/* A tunnel's receiving end.  TEID in host byte order. */
struct fteid {
    struct in6_addr addr;
    uint32_t teid;
};

enum bearer_state {
    BEARER_EMBRYONIC,           /* Uplink seen, downlink never proved. */
    BEARER_ESTABLISHED,         /* Downlink proved. */
    BEARER_STALE,               /* Was proved; must not be used until it is
                                 * proved again. */
};
const char *bearer_state_name(enum bearer_state);

/* A bearer's way to being diverted.  Owned by divert/divert.c. */
enum diversion {
    DIVERSION_OFF,              /* It has not touched a service. */
    DIVERSION_WANTED,           /* It has, and is diverted once it is proved:
                                 * the endpoint must not yet, or cannot. */
    DIVERSION_ASKED,            /* The endpoint has been asked to. */
    DIVERSION_READY,            /* The endpoint is programmed for it. */
};

/* What a bearer has only once it has touched a service. */
struct bearer_use {
    long long int unready;      /* When it was last ready no more, or
                                 * LLONG_MIN / 2. */
    long long int asked;        /* When the endpoint was last asked to. */
    bool given_up;              /* It was not proved or not programmed in time,
                                 * and has not been ready since. */
    long long int read_up;      /* When it last read its uplink counts. */
    bool paused;                /* The endpoint waits for a new proof. */
    long long int watched;      /* The proof whose end is waited for
                                 * (divert/evidence.c), as prove_since(). */
    struct counters counters;
    struct counters last;        /* As the endpoint last said. */
};

/* One uplink tunnel and the downlink tunnel that answers it, as far as one
 * address family is concerned.  There are many: 184 bytes each.  Addresses of
 * peers are those of peers.h. */
struct bearer {
    uint32_t id;                /* Slot << 8 | generation; never 0. */
    uint32_t created_s;         /* When it was learned, or adopted. */
    uint32_t up_teid, down_teid;
    uint8_t up_dscp, down_dscp; /* Of outer headers, as seen last. */
    uint8_t up_qfi, down_qfi;   /* QFI_PRESENT and QFI: as seen last; as last
                                 * proved. */
    enum bearer_state state : 2;
    bool down_known : 1;        /* Is bearer_down() filled in? */
    bool down_retired : 1;      /* It belongs to the path before the last
                                 * handover: it is never used again. */
    bool paired : 1;            /* Heard since the bearer of the other
                                 * family in its tunnel was. */
    enum diversion diversion : 2;
    bool unanswered : 1;        /* Asked for while its UE was there, no reply
                                 * has come: packets do not wait for it. */
    bool replicated : 1;        /* Another TOF has said so, or the journal, and
                                 * its UE has not been heard here since. */
    bool placed : 1;            /* Its session is that of its UE, as far as will
                                 * ever be known: flows may be in its address
                                 * space, so it stays there. */
    unsigned int unread : 2;    /* Directions, 1 << enum endpoint_direction, in
                                 * which the endpoint may have counted before
                                 * the bearer was adopted. */

    struct session *session;
    const struct in6_addr *enb; /* Sender of the uplink tunnel... */
    const struct in6_addr *sgw; /* ...and its receiver. */
    const struct in6_addr *down_enb;    /* Receiver of the downlink one... */
    const struct in6_addr *down_sgw;    /* ...and its sender. */
    uint64_t ue_low;            /* Lower half of bearer_ue_addr(). */

    long long int seen;         /* Last traffic of the UE, either way, ms.  The
                                 * Pinger's is none. */
    long long int heard;        /* Last packet from the UE, ms. */
    long long int natural;      /* Last downlink packet of the SGW's own that
                                 * was seen, ms, or LLONG_MIN / 2. */
    long long int forwarded;    /* Last uplink packet that was seen to go on to
                                 * the SGW, ms, or LLONG_MIN / 2. */
    long long int judged;       /* When it was last found whether the downlink
                                 * tunnel is the UE's: it was proved if the
                                 * bearer is established (bearer_proved()); if
                                 * stale, found here to have ended.  LLONG_MIN:
                                 * not known when, or only others have. */

    /* Owned by table.c. */
    struct bearer_use *use;             /* See bearer_use(). */
    struct hmap_node up_node;           /* By bearer_up(). */
    struct hmap_node down_node;         /* By bearer_down(), if known. */
    struct ovs_list session_node;       /* A ring: of its session. */
    struct ovs_list age_node;           /* By 'seen' within its state. */
};

/* A UE's IPv4 address or IPv6 prefix in an address space, and its bearers, all
 * of one SGW. */
struct session {
    uint32_t id;                /* Slot << 8 | generation; never 0. */
    struct in6_addr ue;         /* Key: addr_ue_key(). */
    struct space *space;        /* In which it is unique. */
    struct bearer *first;       /* See SESSION_FOR_EACH_BEARER. */
    struct hmap_node ue_node;
};

/* Its tunnels; if 'down_known' is false, 'down' is the last one, or none. */
struct fteid bearer_up(const struct bearer *);
struct fteid bearer_down(const struct bearer *);
/* The UE's address that was seen last. */
struct in6_addr bearer_ue_addr(const struct bearer *);
void bearer_set_ue_addr(struct bearer *, const struct in6_addr *);

/* Whether it has touched a service, so that the endpoint may know it; and
 * whether the endpoint is programmed for it. */
static inline bool
bearer_is_diverted(const struct bearer *b)
{
    return b->diversion != DIVERSION_OFF;
}

static inline bool
bearer_is_ready(const struct bearer *b)
{
    return b->diversion == DIVERSION_READY;
}

/* When its downlink tunnel was proved, ms; LLONG_MIN if it is not proved now,
 * or it is not known when. */
static inline long long int
bearer_proved(const struct bearer *b)
{
    return b->state == BEARER_ESTABLISHED ? b->judged : LLONG_MIN;
}

/* Made if it was not there; and for who only reads. */
struct bearer_use *bearer_use(struct bearer *);
const struct bearer_use *bearer_use_get(const struct bearer *);

/* The bearer as the data plane knows it. */
struct endpoint_bearer bearer_describe(const struct bearer *);

/* What the log calls it: its identifier, UE, and uplink tunnel.  Good until the
 * next call. */
const char *bearer_log_name(const struct bearer *);

/* AF_INET or AF_INET6: of its UE's address. */
sa_family_t bearer_family(const struct bearer *);

struct statelet;

/* Told of every change worth persisting, before the bearer is freed if it is
 * gone. */
enum bearer_event {
    BEARER_CHANGED,
    BEARER_MOVED,               /* Another eNodeB sends into its tunnel. */
    BEARER_INVALIDATED,
    BEARER_GONE,                /* 'reason' is why, else it is NULL. */
};
typedef void bearer_event_cb(struct bearer *, enum bearer_event,
                             const char *reason);

/* 'evidence_ms': for how long a proof says whose a downlink tunnel is. */
void session_init(unsigned int max_bearers, long long int evidence_ms,
                  bearer_event_cb *);
void session_destroy(void);

/* An uplink G-PDU from 'enb' into the tunnel 'up', inner source 'ue_addr'.
 * Finds or makes the bearer.  A new sender makes established bearers of that
 * tunnel stale; another UE's address of the same family means that the TEID
 * has been reused: what was there is gone and another bearer made.  Returns
 * NULL only if the table is full of established bearers. */
struct bearer *session_uplink(const struct in6_addr *enb,
                              const struct fteid *up,
                              const struct in6_addr *ue_addr,
                              long long int now);

/* A downlink tunnel has been proved to answer 'b', with that QFI or 0 (see
 * QFI_PRESENT).  Bearers of another UE that held the same downlink F-TEID
 * become stale; those of the same UE may share it.  'b' is placed: it joins the
 * session of a bearer with that downlink F-TEID if session_is_answered().
 *
 * Returns false, and nothing is proved, if 'down' is the tunnel to the eNodeB
 * that the UE has left: the path is not switched yet. */
bool session_proved(struct bearer *b, const struct in6_addr *sgw,
                    const struct fteid *down, uint8_t qfi,
                    long long int now);

/* Whether 'b' would join, or is in, the session of another bearer of the same
 * UE address behind the same SGW, as 'down' has answered both: the other one
 * within the evidence time of 'when'. */
bool session_is_answered(const struct bearer *b, const struct fteid *down,
                         long long int when);

/* There has been traffic of the UE's; or from the UE itself, as is known now:
 * at 'when' or later. */
void session_touch(struct bearer *b, long long int now);
void session_heard(struct bearer *b, long long int when, long long int now);

/* The downlink tunnel of 'b' must not be used any more until proved. */
void session_invalidate(struct bearer *b);

/* 'b' could not be proved in time.  Until it is, nothing waits for that. */
void session_unanswered(struct bearer *b);

/* Forgets a bearer, and its session with the last one.  'reason' is a word and
 * constant: see usage_bearer_gone(). */
void session_forget(struct bearer *b, const char *reason);

/* Puts back what a journal has.  Evidence is not restored: the data
 * plane, which keeps it, is asked. */
void session_restore(const struct statelet *, long long int now);
void session_to_statelet(const struct bearer *, struct statelet *);

/* Another TOF says so, whose identifiers do not count here.  What has been
 * heard here, or proved, later than there is believed more; that a tunnel has
 * ended is believed always.  Returns the bearer that it is about, if that is as
 * it says now; else NULL. */
struct bearer *session_replicated(const struct statelet *, long long int now);

/* Look-ups; NULL if there is none. */
struct bearer *session_bearer_by_id(uint32_t id);
struct bearer *session_bearer_by_uplink(const struct fteid *up, sa_family_t);
/* The first bearer, and the next one, with that downlink tunnel; of any
 * family. */
struct bearer *session_bearer_by_downlink(const struct fteid *down);
struct bearer *session_next_by_downlink(const struct bearer *);
/* The bearer of the other family in the same uplink tunnel; and the same if
 * both are known to be one UE's, a dual-stack pair.  They are if each has been
 * heard since the other one was: had the TEID been given to another UE
 * meanwhile, the first would have fallen silent. */
struct bearer *session_other_family(const struct bearer *);
struct bearer *session_dual_stack(const struct bearer *);
struct session *session_by_id(uint32_t id);
/* 'ue' is a UE's key. */
/* In the address space with that number. */
struct session *session_find(const struct in6_addr *ue, uint16_t space);
/* Another session with the address of 's' behind its SGW: the first one, or
 * the one after 'other' if that is not NULL.  NULL if there are no more. */
struct session *session_next_namesake(const struct session *s,
                                      const struct session *other);
/* The one session of 'ue' in any address space; NULL if none or several. */
struct session *session_find_unambiguous(const struct in6_addr *ue);

/* The sessions of 'ue' in all address spaces: the first one (NULL), and the
 * next one.  Not while any is made or forgotten. */
struct session *session_next_of_ue(const struct in6_addr *ue,
                                   const struct session *);

/* The session with the lowest slot that is above that of 'id' (0: the first
 * one): pages through the table while it changes. */
struct session *session_next(uint32_t id);
struct bearer *session_next_bearer(uint32_t id);

/* The session's bearers, in the order in which they came. */
#define SESSION_FOR_EACH_BEARER(BEARER, SESSION)                        \
    for ((BEARER) = (SESSION)->first; (BEARER);                         \
         (BEARER) = session_bearer_after(BEARER))
struct bearer *session_bearer_after(const struct bearer *);
/* The session's bearer, if it has but one. */
struct bearer *session_only_bearer(const struct session *);

/* A session is as good as its best bearer. */
enum bearer_state session_state(const struct session *);

/* Forgets embryonic bearers not seen since 'now' - 'embryonic_ms', others not
 * seen since 'now' - 'idle_ms'; at most 'budget' of each.  Returns true if
 * there may be more. */
bool session_expire(long long int now, long long int embryonic_ms,
                    long long int idle_ms, unsigned int budget);

size_t session_count(void);
size_t session_max(void);       /* Bearers, of all states. */
size_t session_bearer_count(enum bearer_state);

#endif /* session/session.h */
