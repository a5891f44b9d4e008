/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_XDP_LAYOUT_H
#define TOF_XDP_LAYOUT_H 1

/* What tofd and the eBPF programs share: the maps' values, byte for byte.
 *
 * Place in the flow: tof.bpf.c reads these structures for each packet;
 * table.c writes them through memory maps, without system calls.
 *
 * Addresses are of both families in one form, IPv4 as IPv4-mapped IPv6, as two
 * 64-bit words in network byte order.  TEIDs are in network byte order.
 *
 * Bump XDP_LAYOUT with every change: what an earlier version has pinned is
 * then replaced, not adopted. */

#include <linux/types.h>

#define XDP_LAYOUT 10

/* Time is counted in ticks of the coarse monotonic clock: 2^28 ns, about a
 * quarter of a second, so that a stamp is written a few times a second at
 * most.  31 bits last for 18 years. */
#define XDP_TICK_SHIFT 28
#define XDP_TICK_MASK 0x7fffffffu       /* Half of that will do. */
#define XDP_STAMP_FORWARDED 0x80000000u

/* --- Sessions: a tunnel of one direction each. ---
 *
 * A bucket is 8 entries, two in a cache line.  A tunnel has two buckets, by
 * two halves of one hash; it is put into the second only if the first is full,
 * and nowhere if both are: then its packets take the slow path (XDP_PASS),
 * which is right if slow.
 *
 * With many sessions every packet waits for memory, so an entry is small, and
 * all that is needed of a bearer on its way up is in it.  A tunnel is known by
 * its receiver, TEID and kind; another sender is not known.  A bearer's entry
 * names the path whose addresses these are.  One that is only switched has
 * xdp_tag() of both: were it another's of 2^64, a packet would be switched,
 * and not learned from, that is no bearer's. */

#define XDP_BUCKET 8

/* Low byte of 'meta'. */
#define XDP_KIND_USED 0x01
#define XDP_KIND_DOWN 0x02              /* Else uplink. */
#define XDP_KIND_INNER6 0x04            /* Else IPv4 inside. */
#define XDP_META_KIND(META) ((META) & 0xff)
#define XDP_META_VERSION_ONE 0x100u     /* Bits 8 to 15: changes each time. */
#define XDP_META_VERSION 0xff00u
#define XDP_META_PATH(META) ((META) >> 16)      /* Of a bearer's. */

struct xdp_entry {
    __u32 teid;
    __u32 meta;                 /* Kind 0 while it is being written, so that
                                 * nobody finds it; changes with every write:
                                 * who has read 'meta' before and after all
                                 * else, twice the same, has read one state. */
    __u32 bearer;               /* Bearer id if this tunnel is diverted (up) or
                                 * used (down), else 0. */
    __u32 stamp;                /* Uplink with 'bearer': last packet of the UE,
                                 * and XDP_STAMP_FORWARDED if any was switched.
                                 * Else: switched here until then. */
    union {
        struct {                /* With 'bearer'. */
            __u64 ue;           /* IPv4: the address, then zeros; IPv6: the /64
                                 * prefix. */
            __u64 count;        /* Uplink: diverted; see XDP_COUNT. */
        };
        struct {                /* Without: xdp_tag() of receiver, sender. */
            __u64 dst, src;
        };
    };
};

struct xdp_bucket {
    struct xdp_entry e[XDP_BUCKET];
};

/* Packets and bytes in one word, for one atomic addition: the difference of
 * two readings is exact for up to 2^24 packets and 2^40 bytes between them. */
#define XDP_COUNT_SHIFT 40
#define XDP_COUNT(BYTES) ((1ull << XDP_COUNT_SHIFT) + (BYTES))

/* --- Templates: how to reach a bearer's UE; indexed by the id's slot. --- */

struct xdp_template {
    __u32 id;                   /* Bearer id; 0: not to be used. */
    __u32 version;              /* Odd while it is being written. */
    __u64 ue;
    __u32 seen;                 /* The UE was there then, or later: the uplink
                                 * entry knows. */
    __u32 entry;                /* The uplink entry: bucket * 8 + place. */
    __u32 path;                 /* Index in paths; 0: none. */
    __u32 teid;                 /* Downlink. */
    __u8 inner6;
    __u8 tos;                   /* Outer DSCP << 2. */
    __u8 qfi;                   /* 5G: QFI_PRESENT and QFI, a PDU Session
                                 * Container goes along; 0: none. */
    __u8 pad;
    __u32 owner;                /* Processor + 1 that counts in 'own': the
                                 * first to send.  0: none yet. */
    /* Sent down (see XDP_COUNT): own + any - base.  What programs write is
     * never set back, whose bearer the slot may be: that would need a lock. */
    __u64 own, any;             /* By the owner; by other processors. */
    __u64 base;                 /* What 'id' has started with. */
};

/* --- Paths: Ethernet and IP headers from an SGW to an eNodeB; and both
 * addresses, for bearers' uplink tunnels the other way round. --- */

#define XDP_PATHS 16384         /* Index 0 is not used. */

struct xdp_path {
    __u32 version;              /* Odd while it is being written. */
    __u8 l2_len;                /* 14, or 18 with a VLAN tag; 0: no headers. */
    __u8 ip_len;                /* 20 or 40. */
    __u16 space;                /* Address space of UEs up this path, or 0: for
                                 * each other one there is a path of its own,
                                 * whose headers are not used. */
    __u32 sum;                  /* IPv4: sum of the header as it is in 'ip'.
                                 * IPv6: of both addresses and UDP's number.
                                 * Not folded. */
    __u8 l2[20];
    __u8 ip[40];                /* Length, TOS, checksum 0. */
    __u64 src[2], dst[2];       /* Stay as they are; 0: not there. */
    __u8 pad2[24];
};

/* --- Services. --- */

#define XDP_SERVICES 16384      /* So many there may be. */
#define XDP_SERVICE_PLACES 131072       /* A service is in one of
                                         * XDP_SERVICE_PROBES in a row: a
                                         * full row is very unlikely. */
#define XDP_SERVICE_PROBES 16   /* One bit a place: "one may begin here". */

/* A chain of functions in br-tof, in front of NAT. */
enum xdp_chain {
    XDP_CHAIN_NONE,
    XDP_CHAIN_ON,               /* By way of it, while the switch lives. */
    XDP_CHAIN_OFF,              /* It is not there: uplink packets are
                                 * switched, answers go nowhere. */
};

struct xdp_service {
    __u64 addr[2];
    __u32 used;                 /* Written last, cleared first. */
    __u32 chain;                /* enum xdp_chain */
    __u32 stats;                /* Where it is counted. */
    __u32 bypassed;             /* Its App is down: packets are passed on to
                                 * the filter, which knows connections. */
};

struct xdp_service_stats {      /* Per CPU; XDP_SERVICES of them. */
    __u64 up_packets, up_bytes, down_packets, down_bytes;
};

/* --- What holds for all packets. --- */

#define XDP_PINGERS 16

/* Connections to services that stay on the normal way, by hash: "maybe one".
 * Their packets are passed, and the filter knows better. */
#define XDP_STAY_BITS 65536

struct xdp_config {
    __u64 seed;                 /* Of xdp_hash(). */
    __u32 layout;               /* XDP_LAYOUT */
    __u32 n_buckets, n_templates;
    __u32 evidence;             /* Ticks: a silence this long ends a proof. */
    __u32 n_pingers;            /* More than XDP_PINGERS: any echo reply may be
                                 * one to the Pinger. */
    __u8 mac[6];                /* Of a single adapter. */
    __u8 pad[2];
    __u64 traced;               /* A UE whose packets are told of, as in struct
                                 * xdp_entry... */
    __u64 traced_until;         /* ...until then, ns of the monotonic clock. */
    __u64 traces_lost;          /* The ring was full; written by programs. */
    __u64 pingers[XDP_PINGERS][2];
    __u64 service_bits[XDP_SERVICE_PLACES / 64];
    __u32 stays;                /* Whether any of 'stay_bits' are set. */
    __u32 pad3;
    __u64 stay_bits[XDP_STAY_BITS / 64];
    __u64 heartbeat;            /* When one has last come through br-tof: ns
                                 * of the coarse monotonic clock.  Written by
                                 * tof_nat. */
};

/* Heartbeats come every 100 ms.  After this without one the switch is taken
 * for dead. */
#define XDP_LIVE_NS 350000000ll

/* --- Traces: a ring of packets, each with as many of its bytes as are
 * 'captured' behind it. --- */

#define XDP_TRACE_RING (1u << 20)
#define XDP_TRACE_HEADERS 160   /* All headers, up to those of ports inside. */
#define XDP_TRACE_WHOLE 2048

#define XDP_TRACE_DOWN 1        /* Else up. */
#define XDP_TRACE_UE 2          /* Not in a tunnel. */

struct xdp_trace {
    __u64 time;                 /* ns of the monotonic clock. */
    __u32 length;               /* Of the frame. */
    __u16 captured;
    __u16 offset;               /* Of the UE's packet in it. */
    __u8 verdict;               /* XDP_PASS, XDP_DROP, XDP_REDIRECT */
    __u8 reason;                /* enum xdp_reason */
    __u8 flags;                 /* XDP_TRACE_* */
    __u8 pad[5];
};

/* Interfaces with a program, and keys of the map "devs": where packets are
 * redirected to.  With a single adapter there is XDP_DEV_S1U instead of the
 * first two, and what is redirected to XDP_DEV_ENB goes into the kernel's
 * routing.  Four more are there only for chains of functions. */
enum xdp_dev {
    XDP_DEV_ENB, XDP_DEV_SGW, XDP_DEV_UE,
    XDP_DEV_S1U,
    XDP_DEV_TUN,                /* Peer of br-tof's port towards tunnels. */
    XDP_DEV_NAT,                /* Peer of br-tof's port towards NAT. */
    XDP_DEV_TUN_PORT,           /* These two ports themselves. */
    XDP_DEV_NAT_PORT,
    XDP_N_DEVS
};

/* --- Counters by reason, per CPU. --- */

/* X(SYMBOL, program, verdict, reason).  The program of a single adapter counts
 * a known tunnel's packets as that of its side would. */
#define XDP_REASONS                                                     \
    X(UP_NOT_GTPU, "enb", "pass", "not_gtpu")                           \
    X(UP_MALFORMED, "enb", "pass", "malformed")                         \
    X(UP_OTHER_TYPE, "enb", "pass", "other_type")                       \
    X(UP_UNKNOWN, "enb", "pass", "unknown")                             \
    X(UP_NEW_SENDER, "enb", "pass", "new_sender")                       \
    X(UP_STALE, "enb", "pass", "stale")                                 \
    X(UP_STAYS, "enb", "pass", "may_stay")                              \
    X(UP_HOLD, "enb", "pass", "service_not_diverted")                   \
    X(UP_BYPASSED, "enb", "pass", "app_down")                           \
    X(UP_FOREIGN_SOURCE, "enb", "pass", "foreign_source")               \
    X(UP_NO_TARGET, "enb", "pass", "no_target")                         \
    X(UP_CE_NOT_ECT, "enb", "drop", "congestion_not_ect")               \
    X(UP_FORWARD, "enb", "redirect", "switched")                        \
    X(UP_DECAP, "enb", "redirect", "decapsulated")                      \
    X(UP_CHAIN, "enb", "redirect", "decapsulated_to_chain")             \
    X(UP_ROUTED, "enb", "pass", "routed")                               \
    X(DOWN_NOT_GTPU, "sgw", "pass", "not_gtpu")                         \
    X(DOWN_MALFORMED, "sgw", "pass", "malformed")                       \
    X(DOWN_OTHER_TYPE, "sgw", "pass", "other_type")                     \
    X(DOWN_PINGER, "sgw", "pass", "pinger_reply")                       \
    X(DOWN_UNKNOWN, "sgw", "pass", "unknown")                           \
    X(DOWN_NEW_SENDER, "sgw", "pass", "new_sender")                     \
    X(DOWN_REUSED, "sgw", "pass", "teid_reused")                        \
    X(DOWN_NO_TARGET, "sgw", "pass", "no_target")                       \
    X(DOWN_FORWARD, "sgw", "redirect", "switched")                      \
    X(DOWN_ROUTED, "sgw", "pass", "routed")                             \
    X(S1U_OTHER_HOST, "s1u", "pass", "other_host")                      \
    X(S1U_NOT_GTPU, "s1u", "pass", "not_gtpu")                          \
    X(S1U_MALFORMED, "s1u", "pass", "malformed")                        \
    X(S1U_OTHER_TYPE, "s1u", "pass", "other_type")                      \
    X(S1U_UNKNOWN, "s1u", "pass", "unknown")                            \
    X(UE_NOT_IP, "ue", "pass", "not_ip")                                \
    X(UE_UNCLAIMED, "ue", "pass", "unclaimed")                          \
    X(UE_UNKNOWN, "ue", "pass", "unknown")                              \
    X(UE_STALE, "ue", "pass", "stale")                                  \
    X(UE_NO_PATH, "ue", "pass", "no_path")                              \
    X(UE_NO_TARGET, "ue", "pass", "no_target")                          \
    X(UE_NO_ROOM, "ue", "pass", "no_room")                              \
    X(UE_FOREIGN, "ue", "drop", "foreign_destination")                  \
    X(UE_TORN, "ue", "drop", "changed_meanwhile")                       \
    X(UE_NO_CHAIN, "ue", "drop", "chain_is_not_there")                  \
    X(UE_ENCAP, "ue", "redirect", "encapsulated")                       \
    X(UE_CHAIN, "ue", "redirect", "to_chain")                           \
    X(NAT_FORWARD, "nat", "redirect", "from_chain")                     \
    X(NAT_NO_TARGET, "nat", "drop", "no_target")

enum xdp_reason {
#define X(SYMBOL, PROGRAM, VERDICT, REASON) XDP_##SYMBOL,
    XDP_REASONS
#undef X
    XDP_N_REASONS
};

struct xdp_stats {
    __u64 n[XDP_N_REASONS];
};

/* --- Hashes. --- */

struct xdp_place {              /* Where a tunnel may be. */
    __u32 bucket[2];
    __u32 start;                /* Place in the bucket that is tried first. */
};

static inline __attribute__((always_inline)) __u64
xdp_mix(__u64 x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    return x;
}

/* An address in 64 bits, of which no two IPv4 addresses have the same.  'seed'
 * is random, so that nobody can choose addresses, or fill a bucket by choosing
 * TEIDs. */
static inline __attribute__((always_inline)) __u64
xdp_tag(const __u64 addr[2], __u64 seed)
{
    return xdp_mix(addr[1] ^ seed) + addr[0] * 0x9e3779b97f4a7c15ull;
}

/* 'dst' is xdp_tag() of the receiver. */
static inline __attribute__((always_inline)) struct xdp_place
xdp_hash(__u64 dst, __u32 teid, __u32 kind, __u32 n_buckets)
{
    __u64 x = xdp_mix(dst ^ ((__u64) kind << 32 | teid));
    struct xdp_place place;

    x *= 0x9e3779b97f4a7c15ull;
    place.bucket[0] = (x >> 32) * n_buckets >> 32;
    place.bucket[1] = (x & 0xffffffff) * n_buckets >> 32;
    place.start = (x >> 8) & (XDP_BUCKET - 1);
    return place;
}

static inline __attribute__((always_inline)) __u32
xdp_service_hash(const __u64 addr[2])
{
    return xdp_mix(addr[1] + addr[0] * 0x9e3779b97f4a7c15ull) >> 20;
}

/* Inner addresses and ports, the latter in network byte order. */
static inline __attribute__((always_inline)) __u32
xdp_stay_hash(__u32 teid, const __u64 src[2], const __u64 dst[2], __u32 ports)
{
    __u64 x = xdp_mix(src[1] + src[0] * 0x9e3779b97f4a7c15ull);

    x = xdp_mix(x ^ dst[1] ^ dst[0] * 0x9e3779b97f4a7c15ull);
    x = xdp_mix(x ^ ((__u64) teid << 32 | ports));
    return x >> 40;
}

#endif /* xdp/layout.h */
