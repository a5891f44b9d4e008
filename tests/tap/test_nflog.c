/* SPDX-License-Identifier: GPL-3.0-or-later */

/* kernel/nflog.h against the kernel: packets of the program's own meet rules in
 * the IP layer, where a device takes them, and where it gets them; their copies
 * are read. */

#define _GNU_SOURCE 1

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "kernel/nflog.h"
#include "kernel/nft.h"
#include "nettest.h"
#include "../unit/tap.h"

#define GROUP 2152
#define CAPTURED 60
#define TEXT 100

static const struct nft_table inet = { NFPROTO_INET, "t" };
static const struct nft_table netdev = { NFPROTO_NETDEV, "t" };

static struct nft *nft;
static struct nflog logs;
static unsigned int n_good[3], n_other;

static void
add_log(struct nft_batch *b, const struct nft_table *table,
        const struct nft_chain *chain)
{
    struct nftnl_rule *r = nft_rule(table, chain->name);

    nft_chain_add(b, table, chain);
    nft_x_log(r, GROUP, chain->name);
    nft_rule_add(b, r);
}

static int
install(void)
{
    static const struct nft_chain chains[] = {
        { "output", "filter", NF_INET_LOCAL_OUT, 0, NULL },
        { "egress", "filter", NF_NETDEV_EGRESS, 0, "lo" },
        { "ingress", "filter", NF_NETDEV_INGRESS, 0, "lo" },
    };
    struct nft_batch *b = nft_begin(nft);

    nft_table_add(b, &inet, 0);
    nft_table_add(b, &netdev, 0);
    add_log(b, &inet, &chains[0]);
    add_log(b, &netdev, &chains[1]);
    add_log(b, &netdev, &chains[2]);
    return nft_commit(b, NULL);
}

/* It is the one that send_packet() has sent. */
static bool
is_whole(const struct nflog_packet *p)
{
    return ((p->len == CAPTURED || p->len == CAPTURED + 14)
            && p->ip[0] == 0x45 && p->ip[9] == IPPROTO_UDP
            && p->ip[2] == 0 && p->ip[3] == 20 + 8 + TEXT
            && !memcmp(p->ip + 12, "\x7f\0\0\1", 4)
            && !memcmp(p->ip + 28, "xxxx", 4));
}

static void
take(const struct nflog_packet *p)
{
    static const char *const names[3] = { "output", "egress", "ingress" };

    for (int i = 0; i < 3; i++) {
        if (!strcmp(p->prefix, names[i]) && is_whole(p)) {
            n_good[i]++;
            return;
        }
    }
    n_other++;
}

static void
send_packets(int n)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(9),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[TEXT];

    memset(text, 'x', sizeof text);
    if (bind(sink, (const struct sockaddr *) &to, sizeof to)) {
        abort();                /* Nobody answers with an ICMP error. */
    }
    while (n--) {
        sendto(fd, text, sizeof text, 0, (const struct sockaddr *) &to,
               sizeof to);
    }
    close(sink);
    close(fd);
}

/* Reads until nothing has come for half a second. */
static void
read_all(void)
{
    struct pollfd pfd = { .fd = nflog_fd(&logs), .events = POLLIN };

    while (poll(&pfd, 1, 500) > 0) {
        nflog_run(&logs, take);
    }
}

int
main(void)
{
    struct nflog other;

    if (!own_namespace()) {
        return 0;
    }
    free(output_of("ip link set lo up"));
    if (nflog_open(&logs, -1, GROUP, CAPTURED) || nft_open(-1, &nft)) {
        printf("1..0 # SKIP this kernel has no NFLOG\n");
        return 0;
    }
    tap_ok(nflog_open(&other, -1, GROUP, CAPTURED) == EPERM,
           "a group has one listener");
    tap_ok(!install(), "rules that tell are taken");
    send_packets(1);
    read_all();
    tap_ok(n_good[0] == 1, "of a packet that the host sends");
    tap_ok(n_good[1] == 1, "that leaves by a device");
    tap_ok(n_good[2] == 1, "and comes in by one: from its IP header on");
    tap_ok(!n_other && !logs.lost, "and of nothing else");

    send_packets(100000);
    read_all();
    send_packets(1);
    read_all();
    tap_ok(logs.lost, "what there is no room for is counted: %llu lost",
           (unsigned long long) logs.lost);
    tap_ok(n_good[0] + n_good[1] + n_good[2] + logs.lost == 3 * 100002,
           "exactly");
    nflog_close(&logs);
    tap_ok(!nflog_open(&logs, -1, GROUP, CAPTURED), "there may be a next one");
    nflog_close(&logs);
    nft_close(nft);
    return tap_done();
}
