/* SPDX-License-Identifier: GPL-3.0-or-later */

/* kernel/nft.h against the kernel, in a network namespace of the program's
 * own.  What expressions mean is read back with `nft list`; what they do to
 * packets is tried with frames through a veth. */

#define _GNU_SOURCE 1

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "nettest.h"
#include "nfttest.h"
#include "../unit/tap.h"

/* The netdev table: sets, what takes packets off, and what looks at them. */

/* The chain that others go to. */
static void
netdev_sub_rules(struct nft_batch *b, int c0)
{
    static const uint8_t gtp[2] = { 0x30, 0xff }, mask[2] = { 0xf8, 0xff };
    static const uint8_t zero[2];
    struct nftnl_rule *r;

    r = nft_rule(&netdev, "sub");       /* GTP-U, in a known set. */
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 8, 2, R(0));
    nft_x_bitwise(r, R(0), mask, zero, 2);
    nft_x_cmp(r, R(0), NFT_CMP_EQ, gtp, 2);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, R(0));
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, R(1));
    nft_x_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 12, 4, R(2));
    nft_x_lookup(r, "plain", R(0), false);
    nft_x_counter(r);
    nft_x_fwd(r, c0);
    nft_rule_comment(r, "known");
    nft_rule_add(b, r);
    r = nft_rule(&netdev, "sub");
    nft_x_limit(r, 100, 7);
    nft_x_dup(r, c0);
    nft_rule_add(b, r);
    r = nft_rule(&netdev, "sub");       /* Learns an address. */
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 8, R(0));
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, 6, 6, R(4));
    nft_x_dynset(r, "macs", NFT_DYNSET_OP_DELETE, R(0), R(4), 0);
    nft_x_dynset(r, "macs", NFT_DYNSET_OP_ADD, R(0), R(4), 1500);
    nft_rule_add(b, r);
}

static void
netdev_base_rules(struct nft_batch *b)
{
    uint8_t host = PACKET_HOST;
    struct nftnl_rule *r;

    r = nft_rule(&netdev, "in");
    nft_x_imm(r, R(0), &host, 1);
    nft_x_meta_set(r, NFT_META_PKTTYPE, R(0));
    nft_rule_add(b, r);
    r = nft_rule(&netdev, "in");
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, R(0));
    nft_x_lookup(r, "fixed", R(0), true);
    nft_x_dynset(r, "seen", NFT_DYNSET_OP_UPDATE, R(0), 0, 30000);
    nft_rule_add(b, r);
    r = nft_rule(&netdev, "in");
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, R(0));
    nft_x_vmap(r, "ways", R(0));
    nft_rule_add(b, r);
    r = nft_rule(&netdev, "out");
    nft_x_meta(r, NFT_META_MARK, R(0));
    nft_x_hton32(r, R(0));
    nft_x_payload_set(r, NFT_PAYLOAD_LL_HEADER, 2, 4, R(0));
    nft_rule_add(b, r);
}

static void
test_netdev_rules(int c0)
{
    static const struct nft_chain
        in = { "in", "filter", NF_NETDEV_INGRESS, -10, "b0" },
        out = { "out", "filter", NF_NETDEV_EGRESS, 0, "b0" },
        sub = { .name = "sub" };
    struct nft_batch *b = nft_begin(nft);
    uint8_t mac[6] = { 2, 1, 2, 3, 4, 5 };
    uint32_t key[9] = { ip(1), ip(2), 3, 4, 5, 6, 7, 8, 9 };

    tap_ok(nft_table_exists(nft, &netdev) == ENOENT, "no table yet");
    nft_table_add(b, &netdev, NFT_TABLE_F_OWNER);
    nft_set_add(b, &netdev, &seen);
    nft_set_add(b, &netdev, &macs);
    nft_set_add(b, &netdev, &ways);
    nft_set_add(b, &netdev, &fixed);
    nft_set_add(b, &netdev, &plain);
    nft_set_add(b, &netdev, &six);
    nft_chain_add(b, &netdev, &in);
    nft_chain_add(b, &netdev, &out);
    nft_chain_add(b, &netdev, &sub);
    nft_elem_add(b, &netdev, &fixed, &key[0], NULL, 0);
    nft_elem_add(b, &netdev, &fixed, &key[1], NULL, 0);
    nft_elem_add(b, &netdev, &seen, &key[0], NULL, 60000);
    nft_elem_add(b, &netdev, &macs, key, mac, 0);
    nft_elem_add(b, &netdev, &plain, key, NULL, 0);
    nft_elem_add(b, &netdev, &six, key, NULL, 0);
    nft_elem_add_goto(b, &netdev, &ways, &key[0], "sub");

    netdev_sub_rules(b, c0);
    netdev_base_rules(b);
    tap_ok(!commit(b), "the netdev table is committed");

    tap_ok(!nft_table_exists(nft, &netdev), "it exists");
    listed("flags owner");
    listed("type ipv4_addr . ipv4_addr : ether_addr");
    listed("10.0.0.1 timeout 1m expires ");
    listed("timeout 1h");
    listed("10.0.0.1 : goto sub");
    listed("flags constant\n\t\telements = { 10.0.0.1, 10.0.0.2 }");
    listed("type filter hook ingress device \"b0\" priority filter - 10");
    listed("type filter hook egress device \"b0\" priority filter");
    listed("@th,64,16 & 0xf8ff == 0x30ff "
           "@nh,96,32 . @nh,128,32 . @th,96,32 @plain counter packets 0 "
           "bytes 0 fwd to \"c0\" comment \"known\"");
    listed("limit rate 100/second burst 7 packets dup to \"c0\"");
    listed("delete @macs { @nh,96,64 : @ll,48,48 } "
           "add @macs { @nh,96,64 timeout 1s500ms : @ll,48,48 }");
    listed("meta pkttype set host");
    listed("@nh,96,32 != @fixed update @seen { @nh,96,32 timeout 30s }");
    listed("@nh,128,32 vmap @ways");
    listed("@ll,16,32 set meta mark");
}

static void
inet_rules(struct nft_batch *b)
{
    uint8_t ipv4 = NFPROTO_IPV4, tcp = IPPROTO_TCP;
    uint32_t one = 1, none = 0;
    struct nftnl_rule *r;

    r = nft_rule(&inet, "early");
    nft_x_payload(r, NFT_PAYLOAD_LL_HEADER, 4, 2, R(0));
    nft_x_hton16(r, R(0));
    nft_x_ct_set(r, NFT_CT_ZONE, R(0), 0);
    nft_rule_add(b, r);
    r = nft_rule(&inet, "early");
    nft_x_notrack(r);
    nft_rule_add(b, r);
    r = nft_rule(&inet, "sub");
    nft_x_ct(r, NFT_CT_STATE, R(0));
    nft_x_bitwise(r, R(0), &one, &none, 4);
    nft_x_cmp(r, R(0), NFT_CMP_NEQ, &none, 4);
    nft_x_meta(r, NFT_META_MARK, R(0));
    nft_x_ct_set(r, NFT_CT_MARK, R(0), -1);
    nft_x_verdict(r, NFT_RETURN, NULL);
    nft_rule_add(b, r);
    r = nft_rule(&inet, "nats");
    nft_x_meta(r, NFT_META_NFPROTO, R(0));
    nft_x_cmp(r, R(0), NFT_CMP_EQ, &ipv4, 1);
    nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, R(0));
    nft_x_lookup_map(r, "map4", R(0), R(0));
    nft_x_nat(r, NFT_NAT_DNAT, NFPROTO_IPV4, R(0));
    nft_rule_add(b, r);
    r = nft_rule(&inet, "queues");
    nft_x_meta(r, NFT_META_L4PROTO, R(0));
    nft_x_cmp(r, R(0), NFT_CMP_EQ, &tcp, 1);
    nft_x_rt_tcpmss(r, R(0));
    nft_x_hton16(r, R(0));
    nft_x_tcpopt_write(r, 2, 2, 2, R(0));
    nft_rule_add(b, r);
    r = nft_rule(&inet, "queues");
    nft_x_verdict(r, NFT_JUMP, "sub");
    nft_rule_add(b, r);
}

static void
test_inet_rules(void)
{
    static const struct nft_chain
        raw = { "early", "filter", NF_INET_PRE_ROUTING, -300, NULL },
        nat = { "nats", "nat", NF_INET_PRE_ROUTING, -100, NULL },
        queue = { "queues", "filter", NF_INET_FORWARD, 0, NULL },
        sub = { .name = "sub" };
    struct nft_batch *b = nft_begin(nft);
    uint32_t key = ip(1), data = ip(2);

    nft_table_add(b, &inet, 0);
    nft_set_add(b, &inet, &map4);
    nft_elem_add(b, &inet, &map4, &key, &data, 0);
    nft_chain_add(b, &inet, &raw);
    nft_chain_add(b, &inet, &nat);
    nft_chain_add(b, &inet, &queue);
    nft_chain_add(b, &inet, &sub);
    inet_rules(b);
    tap_ok(!commit(b), "the inet table is committed");

    listed("10.0.0.1 : 10.0.0.2");
    listed("type nat hook prerouting priority dstnat");
    listed("ct original zone set @ll,32,16");
    listed("notrack");
    listed("ct state invalid ct mark set meta mark return");
    listed("dnat ip to ip daddr map @map4");
    listed("tcp option maxseg size set rt mtu");
    listed("jump sub");
}

/* One of the two ways, whichever this kernel has. */
static void
test_queue(void)
{
    void (*ways[])(struct nftnl_rule *, uint16_t) = {
        nft_x_queue, nft_x_nfqueue,
    };
    bool there[2];
    char *s;

    for (int i = 0; i < 2; i++) {
        struct nft_batch *b = nft_begin(nft);
        struct nftnl_rule *r = nft_rule(&inet, "queues");
        char *what = NULL;

        ways[i](r, 3);
        nft_rule_add(b, r);
        int error = nft_commit(b, &what);
        there[i] = !error;
        tap_ok(!error || error == ENOENT, "%s: %s",
               i ? "target NFQUEUE" : "expression queue",
               error ? "not here" : "taken");
        free(what);
    }
    tap_ok(there[0] || there[1], "there is a way to a queue");
    /* The nft command shows nothing where a target of iptables is, unless
     * asked for the kernel's own expressions. */
    s = output_of("nft --debug=netlink list ruleset");
    tap_ok(there[0] == !!strstr(s, "[ queue num 3 bypass ]")
           && there[1] == !!strstr(s, "[ target name NFQUEUE rev 3 ]"),
           "what was taken is there");
    free(s);
}

/* Frames into a0, out of b0, where the rules are; what these send goes into
 * c0, and comes out of d0. */

static int
packet_socket(const char *link)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_IP) };
    struct timeval tv = { .tv_usec = 500000 };
    struct rtnl_link info;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));

    rtnl_link_get(rtnl, link, &info);
    sll.sll_ifindex = info.ifindex;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        tap_diag("bind: %s", strerror(errno));
    }
    return fd;
}

/* UDP from 'src' to 'dst' with the beginning of a GTP-U header. */
static void
send_gtp(int fd, uint32_t src, uint32_t dst, uint32_t teid)
{
    uint8_t f[14 + 20 + 8 + 8] = {
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8, 0,
        0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0,
    };

    memcpy(f + 26, &src, 4);
    memcpy(f + 30, &dst, 4);
    memcpy(f + 34, "\x08\x68\x08\x68\0\x10\0\0", 8);
    memcpy(f + 42, "\x30\xff\0\0", 4);
    memcpy(f + 46, &teid, 4);
    if (send(fd, f, sizeof f, 0) != sizeof f) {
        tap_diag("send: %s", strerror(errno));
    }
}

static void
counter_cb(const char *chain, const char *comment, uint64_t packets,
           uint64_t bytes, void *n)
{
    if (!strcmp(chain, "sub") && !strcmp(comment, "known")) {
        *(unsigned int *) n = packets;
        tap_ok(packets && bytes == packets * 36,
               "the counter counts %u packets", (unsigned int) packets);
    }
}

/* How many frames arrive at 'fd' that another one has sent. */
static unsigned int
received(int fd)
{
    unsigned int n = 0;

    for (;;) {
        struct sockaddr_ll from;
        socklen_t len = sizeof from;
        char buf[2048];

        if (recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *) &from,
                     &len) < 0) {
            return n;
        }
        n += from.sll_pkttype != PACKET_OUTGOING;
    }
}

static void
test_packets(void)
{
    int fd = packet_socket("a0"), d0 = packet_socket("d0");
    uint32_t key[2] = { ip(1), ip(9) };
    unsigned int n = 0;
    uint8_t mac[6];
    uint64_t expires;

    send_gtp(fd, ip(50), ip(9), 3);     /* Not in "ways". */
    tap_ok(received(d0) == 0 && has(&seen, ip(50)),
           "a rule has added an element");
    tap_ok(!nft_elem_get(nft, &netdev, &seen, (uint32_t []) { ip(50) }, NULL,
                         &expires) && expires > 28000 && expires <= 30000,
           "with its timeout");

    send_gtp(fd, ip(1), ip(1), 3);      /* Not in "plain": copied. */
    tap_ok(received(d0) == 1, "a copy comes back");
    key[1] = ip(1);
    tap_ok(!nft_elem_get(nft, &netdev, &macs, key, mac, &expires)
           && !memcmp(mac, "\2\0\0\0\0\7", 6) && expires <= 1500,
           "a rule has learnt an address");

    tap_ok(!has(&seen, ip(60)), "not yet seen");
    {
        struct nft_batch *b = nft_begin(nft);
        uint32_t k[3] = { ip(1), ip(1), 3 };

        nft_elem_add(b, &netdev, &plain, k, NULL, 0);
        tap_ok(!commit(b), "one more in the set");
    }
    send_gtp(fd, ip(1), ip(1), 3);
    tap_ok(received(d0) == 1, "now it is forwarded");
    nft_counters(nft, &netdev, counter_cb, &n);
    tap_ok(n == 1, "once");
    usleep(1600000);
    tap_ok(nft_elem_get(nft, &netdev, &macs, key, mac, NULL) == ENOENT,
           "what was learnt has timed out");
    close(fd);
    close(d0);
}

/* As somebody else may change a table behind our back. */
static void
test_weight(void)
{
    static const struct nft_table table = { NFPROTO_NETDEV, "weighed" };
    uint64_t whole, same, less, none;

    tap_ok(!nft_table_weigh(nft, &table, &none) && !none,
           "no table weighs nothing, whatever other tables have");
    free(output_of("nft 'add table netdev weighed;"
                   " add chain netdev weighed a; add chain netdev weighed b;"
                   " add set netdev weighed s { type mark; };"
                   " add rule netdev weighed a meta mark @s accept;"
                   " add rule netdev weighed b goto a'"));
    tap_ok(!nft_table_weigh(nft, &table, &whole) && whole == 5,
           "two chains, two rules and a jump");
    free(output_of("nft 'add element netdev weighed s { 7 }'"));
    tap_ok(!nft_table_weigh(nft, &table, &same) && same == whole,
           "elements have no weight");
    free(output_of("nft flush chain netdev weighed a"));
    tap_ok(!nft_table_weigh(nft, &table, &less) && less == 4,
           "a flushed chain is noticed");
    free(output_of("nft flush table netdev weighed"));
    tap_ok(!nft_table_weigh(nft, &table, &less) && less == 2,
           "so is a flushed table");
    free(output_of("nft delete table netdev weighed"));
}

static void
test_elements(void)
{
    uint32_t k1 = ip(1001), k2 = ip(1002), k3 = ip(1003);
    uint64_t expires;
    struct nft_batch *b = nft_begin(nft);
    long long int start;

    nft_elem_add(b, &netdev, &seen, &k1, NULL, 0);
    nft_elem_add(b, &netdev, &seen, &k2, NULL, 300);
    tap_ok(!commit(b) && has(&seen, k1) && has(&seen, k2), "two elements");
    tap_ok(!nft_elem_get(nft, &netdev, &seen, &k1, NULL, &expires)
           && !expires, "one without a timeout");
    tap_ok(!nft_elem_get(nft, &netdev, &seen, &k2, NULL, &expires)
           && expires && expires <= 300, "one with");

    start = now_ms();
    while (has(&seen, k2) && now_ms() < start + 3000) {
        usleep(1000);
    }
    tap_ok(!has(&seen, k2) && now_ms() - start < 400, "it has timed out");
    tap_ok(nft_elem_get(nft, &netdev, &seen, &k2, NULL, NULL) == ENOENT,
           "ENOENT for it");
    tap_ok(!nft_elem_forget(nft, &netdev, &seen, &k2), "forgotten already");
    tap_ok(!nft_elem_forget(nft, &netdev, &seen, &k1) && !has(&seen, k1),
           "forgetting the other one");

    b = nft_begin(nft);
    nft_elem_add(b, &netdev, &seen, &k3, NULL, 300);
    tap_ok(!commit(b), "added");
    b = nft_begin(nft);
    nft_elem_add(b, &netdev, &seen, &k3, NULL, 0);
    tap_ok(!commit(b), "added again: no error");
    b = nft_begin(nft);
    nft_elem_delete(b, &netdev, &seen, &k3);
    nft_elem_add(b, &netdev, &seen, &k3, NULL, 60000);
    tap_ok(!commit(b) && !nft_elem_get(nft, &netdev, &seen, &k3, NULL,
                                       &expires)
           && expires > 50000, "deleted and added: refreshed");

    b = nft_begin(nft);
    nft_set_flush(b, &netdev, "seen");
    nft_elem_add(b, &netdev, &seen, &k1, NULL, 0);
    tap_ok(!commit(b) && count(&netdev, &seen) == 1, "flushed and filled");

    b = nft_begin(nft);
    k1 = ip(1);
    k2 = ip(77);
    nft_elem_delete(b, &inet, &map4, &k1);
    nft_elem_add(b, &inet, &map4, &k1, &k2, 0);
    tap_ok(!commit(b) && !nft_elem_get(nft, &inet, &map4, &k1, &k3, NULL)
           && k3 == ip(77), "a map's value replaced");
}

static void
test_failures(void)
{
    static const struct nft_table none = { NFPROTO_NETDEV, "nosuch" };
    struct nft_batch *b = nft_begin(nft);
    uint32_t key = ip(2000);
    struct nftnl_rule *r;

    nft_elem_add(b, &netdev, &seen, &key, NULL, 0);
    for (int i = 0; i < 3; i++) {
        r = nft_rule(&netdev, "sub");
        nft_x_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 0, 12, R(0));
        nft_x_lookup(r, i == 1 ? "missing" : "plain", R(0), false);
        nft_rule_add(b, r);
    }
    refused(b, ENOENT, "rule 2 of chain sub", "a rule about no set");
    tap_ok(!has(&seen, key), "nothing of it is in force");

    b = nft_begin(nft);
    nft_elem_add(b, &netdev, &seen, &key, NULL, 0);
    nft_elem_delete(b, &netdev, &plain, (uint32_t [3]) { 9, 9, 9 });
    refused(b, ENOENT, "elements of set plain", "deleting what is not there");
    tap_ok(!has(&seen, key), "nothing of it is in force");

    b = nft_begin(nft);
    r = nft_rule(&netdev, "sub");
    nft_x_lookup(r, "plain", R(15), false);
    nft_rule_add(b, r);
    refused(b, ERANGE, "rule 1 of chain sub", "a key beyond the registers");

    b = nft_begin(nft);
    nft_table_delete(b, &none);
    refused(b, ENOENT, "table nosuch", "no such table");
    b = nft_begin(nft);
    nft_chain_flush(b, &netdev, "nosuch");
    refused(b, ENOENT, "flush of chain nosuch", "no such chain");
    b = nft_begin(nft);
    nft_chain_delete(b, &netdev, "sub");
    refused(b, EBUSY, "chain sub", "a chain in use");
}

static void
test_bad_input(void)
{
    static const struct nft_table none = { NFPROTO_NETDEV, "nosuch" };
    static const struct nft_set bad = { .name = "seen", .key_len = 65 };
    struct nft_batch *b = nft_begin(nft);
    uint32_t key = ip(2001);
    char name[400] = "";
    struct nftnl_rule *r;

    memset(name, 'n', sizeof name - 1);
    nft_chain_flush(b, &netdev, name);
    nft_elem_add(b, &netdev, &seen, &key, NULL, 0);
    refused(b, ENAMETOOLONG, "nnn", "a long name");
    b = nft_begin(nft);
    nft_elem_add(b, &netdev, &bad, name, NULL, 0);
    refused(b, EINVAL, "seen", "a long key");
    b = nft_begin(nft);
    r = nft_rule(&netdev, "sub");
    for (int i = 0; i < 2000; i++) {
        nft_x_counter(r);
    }
    nft_rule_add(b, r);
    refused(b, E2BIG, "a rule", "a long rule");
    b = nft_begin(nft);
    r = nft_rule(&netdev, "sub");
    nft_x_cmp(r, R(0), NFT_CMP_EQ, name, 65);
    nft_rule_add(b, r);
    refused(b, ENOMEM, "a rule", "a long value");

    tap_ok(nft_commit(NULL, NULL) == ENOMEM, "no batch at all");
    tap_ok(!nft_commit(nft_begin(nft), NULL), "an empty batch");
    b = nft_begin(nft);
    nft_elem_add(b, &netdev, &seen, &key, NULL, 0);
    nft_abort(b);
    tap_ok(!has(&seen, key), "an aborted batch does nothing");
    tap_ok(nft_elem_dump(nft, &none, &seen, count_cb, NULL) == ENOENT,
           "a dump of no set");
}

static void
test_size(void)
{
    static const struct nft_set big = { .name = "big", .key_len = 12 };
    enum { N = 300000 };
    struct nft_batch *b = nft_begin(nft);
    char *what;

    nft_set_add(b, &netdev, &big);
    for (uint32_t i = 0; i < N; i++) {
        nft_elem_add(b, &netdev, &big, (uint32_t [3]) { i, ~i, 7 }, NULL, 0);
    }
    tap_ok(!commit(b), "%d elements at once", N);
    tap_ok(count(&netdev, &big) == N, "all of them are there");

    /* Many errors at once: still the first one is told. */
    b = nft_begin(nft);
    nft_set_flush(b, &netdev, "big");
    for (int i = 0; i < 100000; i++) {
        nft_chain_flush(b, &netdev, i ? "nosuch" : "first");
    }
    tap_ok(nft_commit(b, &what) == ENOENT
           && what && !strncmp(what, "flush of chain first", 20),
           "100000 errors");
    free(what);
    tap_ok(count(&netdev, &big) == N, "nothing has changed");
    b = nft_begin(nft);
    nft_set_flush(b, &netdev, "big");
    tap_ok(!commit(b) && count(&netdev, &big) == 0, "flushed");
}

static void
test_owner(void)
{
    struct nft *other;
    struct nft_batch *b;
    uint32_t key = ip(1);

    nft_open(-1, &other);
    b = nft_begin(other);
    nft_elem_add(b, &netdev, &seen, &key, NULL, 0);
    refused(b, EPERM, "", "another socket may not change an owner's table");
    nft_close(nft);
    nft = other;
    tap_ok(nft_table_exists(nft, &netdev) == ENOENT,
           "the owner's table has gone with its socket");
    tap_ok(!nft_table_exists(nft, &inet), "the other one has not");
    b = nft_begin(nft);
    nft_table_add(b, &inet, 0);
    nft_table_delete(b, &inet);
    tap_ok(!commit(b) && nft_table_exists(nft, &inet) == ENOENT, "deleted");
}

int
main(void)
{
    struct rtnl_link c0;

    if (!own_namespace()) {
        return 0;
    }
    if (rtnl_open(-1, &rtnl) || nft_open(-1, &nft)) {
        return 1;
    }
    rtnl_veth_ensure(rtnl, "a0", "b0", -1, 1500);
    rtnl_link_set_up(rtnl, "a0", true);
    rtnl_link_set_up(rtnl, "b0", true);
    rtnl_veth_ensure(rtnl, "c0", "d0", -1, 1500);
    rtnl_link_set_up(rtnl, "c0", true);
    rtnl_link_set_up(rtnl, "d0", true);
    rtnl_link_get(rtnl, "c0", &c0);
    test_netdev_rules(c0.ifindex);
    test_inet_rules();
    test_queue();
    test_packets();
    test_elements();
    test_weight();
    test_failures();
    test_bad_input();
    test_size();
    test_owner();
    nft_close(nft);
    rtnl_close(rtnl);
    return tap_done();
}
