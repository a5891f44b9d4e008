/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_BUILD_BPF_H
#define TOF_BUILD_BPF_H 1

/* Outer headers of an answer: IP, UDP, GTP-U, and their checksums.
 *
 * Place in the flow: tof.bpf.c calls put_headers() when there is room in front
 * of the inner packet. */

#include "xdp/layout.h"
#include "xdp/tof_parse.bpf.h"

#define MAX_CSUM 4096                   /* Bytes under a UDP checksum. */


/* One's complement sum of 'len' bytes at 'p', added to 'sum'; negative if
 * there are too many. */
static __always_inline __s64
sum_bytes(__u8 *p, void *end, __u32 len, __s64 sum)
{
    for (int i = 0; i < MAX_CSUM / 64 && len >= 64; i++) {
        if ((void *) p + 64 > end) {
            return -1;
        }
        sum = bpf_csum_diff(NULL, 0, (__be32 *) p, 64, sum);
        p += 64;
        len -= 64;
    }
    for (int i = 0; i < 15 && len >= 4; i++) {
        if ((void *) p + 4 > end) {
            return -1;
        }
        sum = bpf_csum_diff(NULL, 0, (__be32 *) p, 4, sum);
        p += 4;
        len -= 4;
    }
    if (len > 3) {
        return -1;
    }
    __be32 rest = 0;
    __u8 *bytes = (__u8 *) &rest;
    for (int i = 0; i < 3; i++) {
        if (i < len) {
            if ((void *) p + 1 > end) {
                return -1;
            }
            bytes[i] = *p++;
        }
    }
    return bpf_csum_diff(NULL, 0, &rest, 4, sum);
}

static __always_inline __u16
fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

/* UDP, GTP-U and, for 5G, a PDU Session Container (TS 38.415: PDU type 0) of
 * 'len' bytes of payload, at 'p', which has room. */
static __always_inline void
put_gtpu(void *p, const struct answer *a)
{
    struct udphdr *udp = p;
    __u8 *gtp = p + UDP_LEN;
    __u32 len = a->len + (a->qfi ? EXT_LEN : 0);

    udp->source = udp->dest = bpf_htons(GTPU_PORT);
    udp->len = bpf_htons(UDP_LEN + GTPU_LEN + len);
    udp->check = 0;
    gtp[0] = a->qfi ? GTPU_V1 | GTPU_E : GTPU_V1;
    gtp[1] = GTPU_GPDU;
    *(__be16 *) (gtp + 2) = bpf_htons(len);
    *(__be32 *) (gtp + 4) = a->teid;
}

static __always_inline void
put_ipv4(struct iphdr *ip, const struct xdp_path *path, __u32 len, __u8 tos)
{
    __builtin_memcpy(ip, path->ip, sizeof *ip);
    ip->tot_len = bpf_htons(sizeof *ip + len);
    ip->tos = tos;
    ip->check = fold((__u64) path->sum + ip->tot_len + bpf_htons(tos));
}

/* False if the packet must not be sent as it is now. */
static __always_inline bool
put_ipv6(struct ipv6hdr *ip6, void *end, const struct xdp_path *path,
         __u32 len, __u8 tos)
{
    struct udphdr *udp = (void *) (ip6 + 1);
    __s64 sum;

    if ((void *) (udp + 1) > end) {     /* There is: Linux 6.1 has forgotten. */
        return false;
    }
    __builtin_memcpy(ip6, path->ip, sizeof *ip6);
    ip6->payload_len = bpf_htons(len);
    *(__be32 *) ip6 = bpf_htonl(6u << 28 | (__u32) tos << 20)
                       | (*(__be32 *) path->ip & bpf_htonl(0xfffff));
    sum = sum_bytes((__u8 *) udp, end, len,
                    fold((__u64) path->sum + bpf_htons(len)) ^ 0xffff);
    if (sum < 0) {
        return false;
    }
    udp->check = fold(sum);
    if (!udp->check) {
        udp->check = 0xffff;
    }
    return true;
}


/* Length of UDP and GTP-U headers. */
static __always_inline __u32
gtpu_len(const struct answer *a)
{
    return UDP_LEN + GTPU_LEN + (a->qfi ? EXT_LEN : 0);
}

/* Fills in all that comes before the inner packet; 'ctx' has been made just so
 * much longer.  False if it must not be sent. */
static __always_inline bool
put_headers(struct xdp_md *ctx, const struct answer *a,
            const struct xdp_path *path, __u32 l2_len, __u32 ip_len)
{
    const bool v4 = ip_len == sizeof(struct iphdr);
    void *end = (void *) (long) ctx->data_end;
    void *p = (void *) (long) ctx->data;
    __u32 len = gtpu_len(a) + a->len;

    if (p + VLAN_ETH_HLEN > end) {
        return false;
    }
    __builtin_memcpy(p, path->l2, ETH_HLEN);
    if (l2_len == VLAN_ETH_HLEN) {
        __builtin_memcpy(p + ETH_HLEN, path->l2 + ETH_HLEN, 4);
        p += VLAN_ETH_HLEN;
    } else {
        p += ETH_HLEN;
    }

    void *udp = p + (v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
    if (udp + UDP_LEN + GTPU_LEN > end) {
        return false;
    }
    put_gtpu(udp, a);
    if (a->qfi) {
        __be32 *ext = udp + UDP_LEN + GTPU_LEN;
        if ((void *) (ext + 2) > end) {
            return false;
        }
        ext[0] = bpf_htonl(PDU_SESSION_CONTAINER);
        ext[1] = bpf_htonl(1u << 24 | (a->qfi & 0x3fu) << 8);
    }
    if (v4) {
        put_ipv4(p, path, len, a->tos);
        return true;
    }
    return put_ipv6(p, end, path, len, a->tos);
}

#endif /* xdp/tof_build.bpf.h */
