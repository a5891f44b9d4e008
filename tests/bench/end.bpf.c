// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the generator's frames end: what stands for hosts in the benches.
 *
 * Place in the flow: engine.c loads one of these programs for each end of a
 * path and reads "counts" and "samples".  sink() counts, sgw() answers the
 * Pinger as a gateway does and counts what is switched, echo() is an
 * application. */

#include "engine.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

const volatile struct end_conf conf;

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct end_counts);
} counts SEC(".maps");

/* ns from stamp to here, by sequence number; 0: has not come. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, SAMPLES);
    __type(key, __u32);
    __type(value, __u64);
} samples SEC(".maps");

/* The device that the program is at: XDP_TX of a veth wakes its peer only if
 * that has an XDP program, too; a redirect always does. */
struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} back SEC(".maps");

static __always_inline struct end_counts *
my_counts(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&counts, &zero);
}

static __always_inline void
take_sample(void *data, void *end, __u64 now)
{
    struct stamp *stamp = data + conf.stamp_at;

    if ((void *) (stamp + 1) > end || stamp->magic != STAMP_MAGIC) {
        return;
    }
    __u32 seq = stamp->seq & (SAMPLES - 1);
    __u64 *sample = bpf_map_lookup_elem(&samples, &seq);
    if (sample && !*sample) {
        *sample = now - stamp->sent;
    }
}

SEC("xdp")
int
sink(struct xdp_md *ctx)
{
    void *data = (void *) (long) ctx->data;
    void *end = (void *) (long) ctx->data_end;
    struct end_counts *c = my_counts();
    if (!c) {
        return XDP_ABORTED;
    }
    if (conf.match_mask) {
        __u32 *word = data + conf.match_at;
        if ((void *) (word + 1) > end
            || (bpf_ntohl(*word) & conf.match_mask) != conf.match_value) {
            c->other++;
            return XDP_PASS;
        }
    }
    c->packets++;
    c->bytes += end - data;
    if (conf.stamp_at) {
        __u64 now = bpf_ktime_get_ns();
        take_sample(data, end, now);
        c->last = now;
        if (!c->first) {
            c->first = now;
        }
    }
    return XDP_DROP;
}

#define ICMP_ECHO 8
#define ICMP_ECHOREPLY 0

/* <linux/icmp.h> needs a C library. */
struct icmp_echo {
    __u8 type, code;
    __u16 checksum;
    __u16 id, sequence;
};

struct gtp_frame {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
    __u8 flags, type;
    __be16 length;
    __be32 teid;
    struct iphdr inner;
    struct icmp_echo icmp;
} __attribute__((packed));

static __always_inline void
swap_macs(struct ethhdr *eth)
{
    __u8 mac[ETH_ALEN];

    __builtin_memcpy(mac, eth->h_dest, sizeof mac);
    __builtin_memcpy(eth->h_dest, eth->h_source, sizeof mac);
    __builtin_memcpy(eth->h_source, mac, sizeof mac);
}

static __always_inline void
swap_addresses(void *header)
{
    struct iphdr *ip = header;
    __be32 addr = ip->saddr;

    ip->saddr = ip->daddr;
    ip->daddr = addr;
}

/* An echo request from the UE becomes its reply in the downlink tunnel. */
static __always_inline void
answer(struct gtp_frame *f)
{
    swap_macs(&f->eth);
    swap_addresses(&f->ip);
    f->teid ^= bpf_htonl(conf.teid_xor);
    swap_addresses(&f->inner);
    f->icmp.type = ICMP_ECHOREPLY;
    /* The sum has become smaller by type 8 in its upper byte. */
    __u32 sum = f->icmp.checksum + bpf_htons(ICMP_ECHO << 8);
    f->icmp.checksum = sum + (sum >> 16);
}

SEC("xdp")
int
sgw(struct xdp_md *ctx)
{
    struct gtp_frame *f = (void *) (long) ctx->data;
    void *end = (void *) (long) ctx->data_end;
    struct end_counts *c = my_counts();
    if (!c) {
        return XDP_ABORTED;
    }
    if ((void *) (f + 1) > end || f->eth.h_proto != bpf_htons(ETH_P_IP)
        || f->ip.ihl != 5 || f->ip.protocol != IPPROTO_UDP
        || f->udp.dest != bpf_htons(2152) || f->type != 0xff) {
        return XDP_PASS;
    }
    if (f->flags == 0x30 && f->inner.ihl == 5
        && f->inner.protocol == IPPROTO_ICMP
        && f->inner.daddr == conf.target && f->icmp.type == ICMP_ECHO) {
        answer(f);
        c->packets++;
        return bpf_redirect_map(&back, 0, 0);
    }
    c->other++;
    return XDP_DROP;
}

SEC("xdp")
int
echo(struct xdp_md *ctx)
{
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct udphdr *udp = (void *) (ip + 1);
    void *end = (void *) (long) ctx->data_end;
    struct end_counts *c = my_counts();
    if (!c) {
        return XDP_ABORTED;
    }
    if ((void *) (udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)
        || ip->ihl != 5 || ip->protocol != IPPROTO_UDP
        || udp->dest != bpf_htons(conf.port)) {
        c->other++;
        return XDP_PASS;
    }
    if (conf.stamp_at) {
        __u64 now = bpf_ktime_get_ns();
        take_sample(eth, end, now);
        c->last = now;
        if (!c->first) {
            c->first = now;
        }
    }
    c->packets++;
    c->bytes += end - (void *) eth;
    swap_macs(eth);
    swap_addresses(ip);
    __be16 port = udp->source;
    udp->source = udp->dest;
    udp->dest = port;
    return bpf_redirect_map(&back, 0, 0);
}

char bpf_license[] SEC("license") = "Dual BSD/GPL";
