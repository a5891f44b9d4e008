/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_PARSE_BPF_H
#define TOF_PARSE_BPF_H 1

/* The programs' parsers: from a frame to what is looked up.
 *
 * Place in the flow: tof.bpf.c calls parse() for each frame from an adapter,
 * parse_answer() for each frame from ue0. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "gtp/ecn.h"
#include "xdp/layout.h"

#define GTPU_PORT 2152
#define GTPU_V1 0x30                    /* Version 1, PT 1. */
#define GTPU_V1_MASK 0xf0               /* The spare bit is not looked at. */
#define GTPU_E 0x04
#define GTPU_OPTIONAL 0x07              /* E, S, PN: 4 more bytes. */
#define GTPU_GPDU 255
#define GTPU_MAX_EXTENSIONS 8
#define GTPU_LEN 8
#define UDP_LEN 8
#define EXT_LEN 8                       /* The 4 optional bytes, and a PDU
                                         * Session Container. */
#define PDU_SESSION_CONTAINER 0x85
#define IP_FRAGMENT 0x3fff              /* MF, or an offset. */
#define ICMP4_ECHO_REPLY 0
#define ICMP6_ECHO_REPLY 129
#define V4_MAPPED 0xffff0000u           /* Third word of ::ffff:a.b.c.d, as it
                                         * lies in memory. */
#define VLAN_ETH_HLEN 18
#ifndef ETH_P_CFM
#define ETH_P_CFM 0x8902
#endif

/* --- Parsing: outer IP, UDP, GTP-U, inner IP. --- */

enum parsed { G_PDU, NOT_GTPU, MALFORMED, OTHER_TYPE };

struct packet {
    __u64 src[2], dst[2];               /* Outer. */
    __u64 inner_src[2], inner_dst[2];
    __u32 teid;
    __u32 offset;                       /* Of the inner packet. */
    __u32 inner_len;                    /* By its own header. */
    bool inner6;
    bool echo_reply;                    /* ICMP or ICMPv6. */
    __u8 ecn, inner_ecn;
};

/* Whether an address is not an IPv4-mapped one.  By one condition on a sum:
 * with one on each part, the verifier would walk through what follows for each
 * part apart. */
static __always_inline bool
is_ipv6(const __u64 addr[2])
{
    __u64 differs = addr[0] | ((__u32) addr[1] ^ V4_MAPPED);

    barrier_var(differs);
    return differs;
}

/* An IPv6 header's addresses.  False if one is an IPv4-mapped one, which would
 * pass for that IPv4 address in our tables. */
static __always_inline bool
load_in6(const struct ipv6hdr *ip6, __u64 src[2], __u64 dst[2])
{
    const __u32 *s = ip6->saddr.s6_addr32, *d = ip6->daddr.s6_addr32;

    src[0] = (__u64) s[1] << 32 | s[0];
    src[1] = (__u64) s[3] << 32 | s[2];
    dst[0] = (__u64) d[1] << 32 | d[0];
    dst[1] = (__u64) d[3] << 32 | d[2];
    return is_ipv6(src) && is_ipv6(dst);
}

/* Of an IPv6 header: bits of the traffic class, which is not by bytes. */
static __always_inline __u8
ecn6(const struct ipv6hdr *ip6)
{
    return ((const __u8 *) ip6)[1] >> 4 & ECN_MASK;
}

/* A UE address as in the tables. */
static __always_inline __u64
ue_key(const __u64 addr[2], bool inner6)
{
    return inner6 ? addr[0] : addr[1] >> 32;
}

static __always_inline void
load_in4(__u64 dst[2], __be32 src)
{
    dst[0] = 0;
    dst[1] = (__u64) src << 32 | V4_MAPPED;
}

/* The UDP header at 'l3' + return value, or 0.  What is there is whole: no
 * fragment, no IPv6 extension header, nothing behind the datagram. */
static __always_inline __u32
parse_outer(void *l3, void *end, __u32 proto, struct packet *p)
{
    struct ipv6hdr *ip6 = l3;
    struct iphdr *ip = l3;
    __u32 ihl, len;

    if (l3 + sizeof *ip > end) {
        return 0;
    }
    if (proto == bpf_htons(ETH_P_IP)) {
        ihl = ip->ihl * 4;
        len = bpf_ntohs(ip->tot_len);
        if (ip->version != 4 || ihl < sizeof *ip
            || ip->frag_off & bpf_htons(IP_FRAGMENT)
            || ip->protocol != IPPROTO_UDP) {
            return 0;
        }
        p->ecn = ip->tos & ECN_MASK;
        load_in4(p->src, ip->saddr);
        load_in4(p->dst, ip->daddr);
    } else if (proto == bpf_htons(ETH_P_IPV6)) {
        if (l3 + sizeof *ip6 > end || ip6->version != 6
            || ip6->nexthdr != IPPROTO_UDP
            || !load_in6(ip6, p->src, p->dst)) {
            return 0;
        }
        p->ecn = ecn6(ip6);
        ihl = sizeof *ip6;
        len = sizeof *ip6 + bpf_ntohs(ip6->payload_len);
    } else {
        return 0;
    }
    if (len < ihl + UDP_LEN + GTPU_LEN || l3 + len > end) {
        return 0;
    }
    struct udphdr *udp = l3 + ihl;
    if ((void *) (udp + 1) > end || udp->dest != bpf_htons(GTPU_PORT)
        || bpf_ntohs(udp->len) != len - ihl) {
        return 0;
    }
    p->inner_len = len - ihl - UDP_LEN - GTPU_LEN;  /* For now. */
    return ihl;
}

/* Length of the optional fields and extension headers that start at 'opt', or
 * -1. */
static __always_inline int
parse_extensions(__u8 flags, __u8 *opt, void *end, __u32 room)
{
    __u8 *p = opt + 4;
    __u32 used = 4;

    if (room < 4 || (void *) p > end) {
        return -1;
    }
    if (!(flags & GTPU_E)) {
        return used;
    }
    __u8 next = opt[3];
    for (int i = 0; i < GTPU_MAX_EXTENSIONS && next; i++) {
        if ((void *) (p + 1) > end) {
            return -1;
        }
        __u32 len = *p * 4;             /* TS 29.281 clause 5.2.1. */
        used += len;
        if (!len || used > room) {
            return -1;
        }
        p += len;
        if ((void *) p > end) {         /* In this form for Linux 6.1. */
            return -1;
        }
        next = p[-1];
    }
    return next ? -1 : (int) used;
}

static __always_inline bool
parse_inner(void *inner, void *end, struct packet *p)
{
    struct ipv6hdr *ip6 = inner;
    struct iphdr *ip = inner;
    __u32 room = p->inner_len;
    __u8 *l4;

    if (room < sizeof *ip || (void *) (ip + 1) > end) {
        return false;
    }
    p->echo_reply = false;
    if (ip->version == 4) {
        p->inner_len = bpf_ntohs(ip->tot_len);
        if (ip->ihl < 5 || p->inner_len < ip->ihl * 4
            || p->inner_len > room) {
            return false;
        }
        p->inner_ecn = ip->tos & ECN_MASK;
        load_in4(p->inner_src, ip->saddr);
        load_in4(p->inner_dst, ip->daddr);
        p->inner6 = false;
        if (ip->protocol == IPPROTO_ICMP) {
            l4 = inner + ip->ihl * 4;
            p->echo_reply = ((void *) (l4 + 1) <= end
                             && *l4 == ICMP4_ECHO_REPLY);
        }
        return true;
    } else if (ip->version == 6) {
        if (room < sizeof *ip6 || (void *) (ip6 + 1) > end) {
            return false;
        }
        p->inner_len = sizeof *ip6 + bpf_ntohs(ip6->payload_len);
        if (p->inner_len > room
            || !load_in6(ip6, p->inner_src, p->inner_dst)) {
            return false;
        }
        p->inner_ecn = ecn6(ip6);
        p->inner6 = true;
        l4 = (__u8 *) (ip6 + 1);
        p->echo_reply = (ip6->nexthdr == IPPROTO_ICMPV6
                         && (void *) (l4 + 1) <= end
                         && *l4 == ICMP6_ECHO_REPLY);
        return true;
    }
    return false;
}

static __always_inline enum parsed
parse(struct xdp_md *ctx, struct packet *p)
{
    void *data = (void *) (long) ctx->data;
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = data;
    __u32 l2 = sizeof *eth, proto;

    if ((void *) (eth + 1) > end) {
        return NOT_GTPU;
    }
    proto = eth->h_proto;
    if (proto == bpf_htons(ETH_P_8021Q)) {
        __be16 *inner_proto = data + l2 + 2;
        l2 += 4;
        if (data + l2 > end) {
            return NOT_GTPU;
        }
        proto = *inner_proto;
    }

    __u32 ihl = parse_outer(data + l2, end, proto, p);
    if (!ihl) {
        return NOT_GTPU;
    }
    __u8 *gtp = data + l2 + ihl + UDP_LEN;
    if ((void *) gtp + GTPU_LEN > end
        || (gtp[0] & GTPU_V1_MASK) != GTPU_V1) {
        return NOT_GTPU;
    }
    if (gtp[1] != GTPU_GPDU) {
        return OTHER_TYPE;
    }
    p->teid = *(__be32 *) (gtp + 4);
    if (bpf_ntohs(*(__be16 *) (gtp + 2)) != p->inner_len || !p->teid) {
        return MALFORMED;
    }
    p->offset = l2 + ihl + UDP_LEN + GTPU_LEN;
    if (gtp[0] & GTPU_OPTIONAL) {
        int used = parse_extensions(gtp[0], gtp + GTPU_LEN, end,
                                    p->inner_len);
        if (used < 0) {
            return MALFORMED;
        }
        p->inner_len -= used;
        p->offset += used;
    }
    return (p->offset < 4096
            && parse_inner(data + p->offset, end, p) ? G_PDU : MALFORMED);
}

/* --- A frame from ue0. --- */

struct answer {                         /* The frame as it came, and where
                                         * it goes. */
    __u64 src[2], dst[2];
    __u32 len;                          /* Of the IP packet. */
    __u64 spare;                        /* Bytes behind it. */
    bool inner6;
    __u32 id;
    struct xdp_template *template;      /* NULL: none yet. */
    __u32 teid, path;
    __u8 tos, qfi;
    __u8 ecn;
};

/* False if the frame is none that we know. */
static __always_inline bool
parse_answer(struct xdp_md *ctx, struct answer *a)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct ipv6hdr *ip6 = (void *) (eth + 1);
    struct iphdr *ip = (void *) (eth + 1);

    if ((void *) (ip + 1) > end || eth->h_dest[0] != 0x02
        || eth->h_dest[1]) {
        return false;
    }
    a->id = bpf_ntohl(*(__be32 *) (eth->h_dest + 2));
    if (eth->h_proto == bpf_htons(ETH_P_IP) && ip->version == 4) {
        a->len = bpf_ntohs(ip->tot_len);
        a->inner6 = false;
        a->ecn = ip->tos & ECN_MASK;
        load_in4(a->src, ip->saddr);
        load_in4(a->dst, ip->daddr);
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)
               && (void *) (ip6 + 1) <= end && ip6->version == 6
               && load_in6(ip6, a->src, a->dst)) {
        a->len = sizeof *ip6 + bpf_ntohs(ip6->payload_len);
        a->inner6 = true;
        a->ecn = ecn6(ip6);
    } else {
        return false;
    }
    if (a->len < sizeof *ip || (void *) ip + a->len > end) {
        return false;
    }
    a->spare = (long) end - (long) ip - a->len;
    a->template = NULL;
    return true;
}

#endif /* xdp/tof_parse.bpf.h */
