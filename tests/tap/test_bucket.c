/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nat_bucket() against the kernel: packets of many UEs come in at b0, where a
 * rule notes for each of them the bucket that nat_x_bucket() has found. */

#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "nat/nat.h"
#include "nat/private.h"
#include "nettest.h"
#include "../unit/tap.h"

#define N_UES 10000
#define REG NFT_REG32_00

static const struct nft_table netdev = { NFPROTO_NETDEV, "tof" };
static const struct nft_chain ingress = {
    "ingress", "filter", NF_NETDEV_INGRESS, 0, "b0"
};

static const struct family {
    const char *name;
    struct nft_set found;       /* UE and bucket. */
    uint16_t ethertype;
    uint32_t src_offset, header_len;
    struct in6_addr first;      /* UE. */
    int step;                   /* The byte that differs most. */
} families[2] = {
    { "IPv4", { .name = "found4", .key_len = 8, .dynamic = true,
                .size = 65536 },
      ETH_P_IP, 12, 20, { .s6_addr = { [10] = 0xff, 0xff, 10, 45 } }, 15 },
    { "IPv6", { .name = "found6", .key_len = 20, .dynamic = true,
                .size = 65536 },
      ETH_P_IPV6, 8, 40, { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 9 } }, 7 },
};

static struct nft *nft;

static void
add_rule(struct nft_batch *b, int family)
{
    const struct family *f = &families[family];
    const uint16_t ethertype = htons(f->ethertype);
    const uint32_t len = f->found.key_len - 4;
    struct nftnl_rule *r = nft_rule(&netdev, ingress.name);

    nft_x_meta(r, NFT_META_PROTOCOL, REG);
    nft_x_cmp(r, REG, NFT_CMP_EQ, &ethertype, sizeof ethertype);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, f->src_offset, len, REG);
    nat_x_bucket(r, family, REG + len / 4);
    nft_x_dynset(r, f->found.name, NFT_DYNSET_OP_ADD, REG, 0, 0);
    nft_rule_add(b, r);
}

static int
add_rules(void)
{
    struct nft_batch *b = nft_begin(nft);
    char *what = NULL;
    int error;

    nft_table_add(b, &netdev, 0);
    nft_chain_add(b, &netdev, &ingress);
    for (int i = 0; i < 2; i++) {
        nft_set_add(b, &netdev, &families[i].found);
        add_rule(b, i);
    }
    error = nft_commit(b, &what);
    tap_ok(!error, "rules: %s", error ? what : "taken");
    free(what);
    return error;
}

/* Those of a network one after the other, and every third one anywhere. */
static struct in6_addr
make_ue(const struct family *f, unsigned int i)
{
    struct in6_addr ue = f->first;
    const uint32_t anywhere = i % 3 ? 0 : i * 2654435761u;

    ue.s6_addr[f->step] = i;
    ue.s6_addr[f->step - 1] = i >> 8;
    ue.s6_addr[f->step - 2] ^= anywhere >> 8;
    ue.s6_addr[f->step - 3] ^= anywhere >> 16;
    return ue;
}

/* Returns how many could not be sent. */
static unsigned int
send_ues(int fd, const struct family *f)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(f->ethertype),
        .sll_ifindex = if_nametoindex("a0"), .sll_halen = ETH_ALEN,
        .sll_addr = { 255, 255, 255, 255, 255, 255 },
    };
    const uint32_t len = f->found.key_len - 4;
    unsigned int failed = 0;

    for (unsigned int i = 0; i < N_UES; i++) {
        uint8_t packet[60] = { len == 4 ? 0x45 : 0x60 };
        struct in6_addr ue = make_ue(f, i);

        memcpy(packet + f->src_offset, ue.s6_addr + 16 - len, len);
        failed += sendto(fd, packet, f->header_len, 0,
                         (struct sockaddr *) &to, sizeof to) < 0;
    }
    return failed;
}

struct tally {
    const struct family *f;
    unsigned int n, wrong;
    bool seen[NAT_BUCKETS];
};

static void
compare_cb(const void *key_, const void *data, uint64_t expires, void *t_)
{
    struct tally *t = t_;
    const uint8_t *key = key_;
    const uint32_t len = t->f->found.key_len - 4;
    struct in6_addr ue = t->f->first;
    uint32_t bucket;

    (void) data;
    (void) expires;
    memcpy(ue.s6_addr + 16 - len, key, len);
    memcpy(&bucket, key + len, sizeof bucket);
    t->n++;
    t->wrong += bucket != nat_bucket(&ue);
    if (bucket < NAT_BUCKETS) {
        t->seen[bucket] = true;
    }
}

static void
test_family(int fd, const struct family *f)
{
    struct tally t = { .f = f };
    unsigned int failed = send_ues(fd, f), n_buckets = 0;
    int error = nft_elem_dump(nft, &netdev, &f->found, compare_cb, &t);

    tap_ok(!failed && !error && t.n == N_UES,
           "%s: the kernel has found buckets for %u UEs", f->name, t.n);
    tap_ok(t.n && !t.wrong, "%s: %u of them differ from ours", f->name,
           t.wrong);
    for (int i = 0; i < NAT_BUCKETS; i++) {
        n_buckets += t.seen[i];
    }
    tap_ok(n_buckets == NAT_BUCKETS, "%s: %u buckets are in use", f->name,
           n_buckets);
}

int
main(void)
{
    struct rtnl *rtnl;
    int fd;

    if (!own_namespace()) {
        return 0;
    }
    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || rtnl_open(-1, &rtnl) || nft_open(-1, &nft)) {
        return 1;
    }
    /* So that the kernel sends nothing of its own. */
    sysctl_write(-1, "1", "net/ipv6/conf/default/disable_ipv6");
    rtnl_veth_ensure(rtnl, "a0", "b0", -1, 1500);
    rtnl_link_set_up(rtnl, "a0", true);
    rtnl_link_set_up(rtnl, "b0", true);
    if (!add_rules()) {
        test_family(fd, &families[0]);
        test_family(fd, &families[1]);
    }
    nft_close(nft);
    rtnl_close(rtnl);
    close(fd);
    return tap_done();
}
