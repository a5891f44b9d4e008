/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nflog_parse(): copies of packets as the kernel sends them, from hooks of the
 * IP layer and of a device; and what is no copy, or not whole. */

#include <config.h>

#include "kernel/nflog.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <libmnl/libmnl.h>

#include "tap.h"

#define NUMBER 0x01020304

static const uint8_t frame[ETH_HLEN + 4] = {
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28,
};
static const uint8_t *const ip = frame + ETH_HLEN;

static char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));

static struct nlmsghdr *
put_header(uint8_t family, uint8_t hook)
{
    const struct nfulnl_msg_packet_hdr h = {
        .hw_protocol = htons(ETH_P_IP), .hook = hook,
    };
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *nfg;

    nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
    nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);
    nfg->nfgen_family = family;
    mnl_attr_put(nlh, NFULA_PACKET_HDR, sizeof h, &h);
    return nlh;
}

/* As the kernel orders them: the payload comes last. */
static struct nlmsghdr *
message(uint8_t family, uint8_t hook, const void *payload, size_t len)
{
    struct nlmsghdr *nlh = put_header(family, hook);

    mnl_attr_put_strz(nlh, NFULA_PREFIX, "not_for_service");
    mnl_attr_put_u32(nlh, NFULA_MARK, htonl(0xa101));
    mnl_attr_put_u32(nlh, NFULA_SEQ, htonl(NUMBER));
    mnl_attr_put(nlh, NFULA_PAYLOAD, len, payload);
    return nlh;
}

static bool
is_read(const struct nlmsghdr *nlh)
{
    struct nflog_packet p;

    return (nflog_parse(nlh, &p) && p.len == 4 && !memcmp(p.ip, ip, 4)
            && !strcmp(p.prefix, "not_for_service") && p.number == NUMBER);
}

static bool
is_refused(const struct nlmsghdr *nlh)
{
    struct nflog_packet p;

    return !nflog_parse(nlh, &p);
}

static void
test_copies(void)
{
    tap_ok(is_read(message(AF_INET, NF_INET_PRE_ROUTING, ip, 4)), "IPv4");
    tap_ok(is_read(message(AF_INET6, NF_INET_POST_ROUTING, ip, 4)), "IPv6");
    tap_ok(is_read(message(NFPROTO_NETDEV, NF_NETDEV_INGRESS, ip, 4)),
           "what has come in by a device is without its Ethernet header");
    tap_ok(is_read(message(NFPROTO_NETDEV, NF_NETDEV_EGRESS, frame,
                           sizeof frame)),
           "what leaves by one has it, and that is stepped over");
    tap_ok(is_refused(message(NFPROTO_NETDEV, NF_NETDEV_EGRESS, frame,
                              ETH_HLEN)), "with nothing behind it");
}

static void
test_what_is_no_copy(void)
{
    struct nlmsghdr *nlh = message(AF_INET, 0, ip, 4);

    nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFULNL_MSG_PACKET;
    tap_ok(is_refused(nlh), "of another subsystem");
    nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    tap_ok(is_refused(nlh), "of another type");
    nlh = put_header(AF_INET, 0);
    mnl_attr_put(nlh, NFULA_PAYLOAD, 4, ip);
    tap_ok(is_refused(nlh), "without prefix and number");
    nlh = put_header(AF_INET, 0);
    mnl_attr_put(nlh, NFULA_PREFIX, 3, "abc");
    mnl_attr_put_u32(nlh, NFULA_SEQ, 0);
    mnl_attr_put(nlh, NFULA_PAYLOAD, 4, ip);
    tap_ok(is_refused(nlh), "a prefix without its end");
    nlh = put_header(AF_INET, 0);
    mnl_attr_put_strz(nlh, NFULA_PREFIX, "abc");
    mnl_attr_put_u16(nlh, NFULA_SEQ, 0);
    mnl_attr_put(nlh, NFULA_PAYLOAD, 4, ip);
    tap_ok(is_refused(nlh), "a number that is too short");
}

/* The kernel's messages have whole words.  Each in memory of its size: a byte
 * too much is found by valgrind or ASan. */
static void
test_what_is_cut(void)
{
    const struct nlmsghdr *nlh = message(AF_INET, 0, ip, 4);
    const size_t len = nlh->nlmsg_len;
    bool refused = true;

    for (size_t n = sizeof *nlh; n < len; n += NLMSG_ALIGNTO) {
        struct nlmsghdr *cut = malloc(n);

        memcpy(cut, nlh, n);
        cut->nlmsg_len = n;
        refused = refused && is_refused(cut);
        free(cut);
    }
    tap_ok(refused, "%zu bytes, cut at each word", len);
}

int
main(void)
{
    test_copies();
    test_what_is_no_copy();
    test_what_is_cut();
    return tap_done();
}
