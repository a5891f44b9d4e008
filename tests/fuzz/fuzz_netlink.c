/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: what the kernel answers to questions about links, routes,
 * nftables and the table of connections.  The socket is a stand-in.  Messages
 * have a header that is right.
 *
 * Connections and rules themselves are left out, which libraries parse that
 * trust the kernel: libnetfilter_conntrack ends the process by itself if an
 * attribute has another length than it knows, libnftnl dies of an expression
 * without a name. */

#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "nat/conntrack.h"

static const uint8_t *input;
static size_t n_input;
static uint32_t seq;            /* Of the last request. */

struct mnl_socket *__wrap_mnl_socket_open2(int, int);
struct mnl_socket *
__wrap_mnl_socket_open2(int bus, int flags)
{
    (void) bus;
    (void) flags;
    return (struct mnl_socket *) &input;
}

int __wrap_mnl_socket_bind(struct mnl_socket *, unsigned int, pid_t);
int
__wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
    (void) nl;
    (void) groups;
    (void) pid;
    return 0;
}

int __wrap_mnl_socket_setsockopt(const struct mnl_socket *, int, void *,
                                 socklen_t);
int
__wrap_mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *p,
                             socklen_t len)
{
    (void) nl;
    (void) type;
    (void) p;
    (void) len;
    return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *);
int
__wrap_mnl_socket_close(struct mnl_socket *nl)
{
    (void) nl;
    return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *);
int
__wrap_mnl_socket_get_fd(const struct mnl_socket *nl)
{
    (void) nl;
    return -1;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *, const void *,
                                 size_t);
ssize_t
__wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *request,
                         size_t len)
{
    (void) nl;
    seq = ((const struct nlmsghdr *) request)->nlmsg_seq;
    return len;
}

/* Puts a message to '*p': a byte that says how it is made, two of its
 * length. */
static size_t
put_message(uint8_t *p, size_t room)
{
    const uint8_t how = input[0];
    size_t n = (input[1] << 8 | input[2]) & 0xfff;

    n = n < n_input - 3 ? n : n_input - 3;
    if (MNL_ALIGN(NLMSG_HDRLEN + n) + 1 > room) {
        return 0;
    }
    struct nlmsghdr nlh = {
        .nlmsg_len = NLMSG_HDRLEN + n,
        .nlmsg_type = how & 1 ? NLMSG_ERROR : how & 2 ? NLMSG_DONE
                      : 16 + (how >> 2),
        .nlmsg_flags = how & 2 ? 0 : NLM_F_MULTI,
        .nlmsg_seq = seq,
    };
    memcpy(p, &nlh, sizeof nlh);
    memcpy(p + NLMSG_HDRLEN, input + 3, n);
    memset(p + NLMSG_HDRLEN + n, 0, MNL_ALIGN(n) - n + 1);
    input += 3 + n;
    n_input -= 3 + n;
    return MNL_ALIGN(NLMSG_HDRLEN + n);
}

ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t
__wrap_recv(int fd, void *buf, size_t size, int flags)
{
    size_t len = 0, n;

    (void) fd;
    (void) flags;
    if (size == 1 || n_input < 3) {     /* netlink_drain(). */
        errno = EAGAIN;
        return -1;
    }
    do {
        n = put_message((uint8_t *) buf + len, size - len);
        len += n;
    } while (n && n_input >= 3 && len < 8192);
    return len;
}

static void
ignore_element(const void *key, const void *data, uint64_t expires_ms,
               void *aux)
{
    (void) key;
    (void) data;
    (void) expires_ms;
    (void) aux;
}

static void
ask_rtnl(uint8_t what)
{
    const struct in6_addr addr = { .s6_addr = { [15] = 1 } };
    struct rtnl_link link;
    struct rtnl_way way;
    struct rtnl *rtnl;
    uint16_t state;

    rtnl_open(-1, &rtnl);
    switch (what) {
    case 0: rtnl_link_get(rtnl, "enb0", &link); break;
    case 1: rtnl_route_get(rtnl, &addr, &way); break;
    case 2: rtnl_neigh_get(rtnl, 1, &addr, &state); break;
    case 3: rtnl_rule_ensure(rtnl, AF_INET, "enb0", 1, 2); break;
    }
    rtnl_close(rtnl);
}

static void
ask_nft(uint8_t what)
{
    static const struct nft_table table = { NFPROTO_NETDEV, "tof" };
    static const struct nft_set set = { .name = "s", .key_len = 20,
                                        .data_len = 18 };
    uint8_t key[20] = { 0 }, data[18];
    uint64_t weight;
    struct nft *nft;

    nft_open(-1, &nft);
    switch (what) {
    case 4: nft_elem_dump(nft, &table, &set, ignore_element, NULL); break;
    case 5: nft_elem_get(nft, &table, &set, key, data, &weight); break;
    case 6: nft_table_weigh(nft, &table, &weight); break;
    case 7: nft_forwards_nothing(nft); break;
    case 8: nft_commit(nft_begin(nft), NULL); break;
    }
    nft_close(nft);
}

static void
ask_conntrack(void)
{
    struct conntrack_fill fill;
    struct conntrack *ct;

    conntrack_open(-1, &ct);
    conntrack_get_fill(ct, &fill);
    conntrack_close(ct);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) {
        return 0;
    }
    input = data + 1;
    n_input = size - 1;
    const uint8_t what = data[0] % 10;
    if (what < 4) {
        ask_rtnl(what);
    } else if (what < 9) {
        ask_nft(what);
    } else {
        ask_conntrack();
    }
    return 0;
}
