/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deletes conntrack entries, and changes their marks, over ctnetlink, whose
 * messages libnetfilter_conntrack reads and writes.
 *
 * Place in the flow: flows.c has the table walked when a service has gone or
 * got another application, since the flows that are there would keep their
 * address translation; when bearers have gone, whose marks flows still have;
 * and when an App is down, whose connections end.
 *
 * The table may have some 100 000 entries.  So it is dumped part by part, of
 * some 100 entries each (what the kernel puts into one message buffer), and
 * what is to be changed in a part is changed before the next one. */

#define _GNU_SOURCE 1

#include "nat/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "base/addr.h"
#include "base/tunnel.h"
#include "kernel/netlink.h"
#include "nat/private.h"

struct conntrack {
    struct netlink nl;          /* For requests. */
    struct netlink dump;        /* For walks. */
};

int
conntrack_open(int netns_fd, struct conntrack **ctp)
{
    struct conntrack *ct = calloc(1, sizeof *ct);
    int error = (ct ? netlink_open(&ct->nl, netns_fd, NETLINK_NETFILTER)
                 : ENOMEM);

    if (!error) {
        error = netlink_open(&ct->dump, netns_fd, NETLINK_NETFILTER);
    }
    if (error) {
        conntrack_close(ct);
        ct = NULL;
    }
    *ctp = ct;
    return error;
}

void
conntrack_close(struct conntrack *ct)
{
    if (ct) {
        netlink_close(&ct->dump);
        netlink_close(&ct->nl);
        free(ct);
    }
}

static struct nlmsghdr *
start(char *buf, int type, int family, uint16_t flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);

    nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
    nlh->nlmsg_flags = flags;
    nfg->nfgen_family = family;
    nfg->version = NFNETLINK_V0;
    return nlh;
}

static int
compare_targets(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct conntrack_target));
}

/* The address in the attribute of the flow's family; unspecified if there is
 * none. */
static struct in6_addr
addr_in(const struct nf_conntrack *flow, enum nf_conntrack_attr ipv4,
        enum nf_conntrack_attr ipv6)
{
    struct in6_addr addr = in6addr_any;

    if (nfct_attr_is_set(flow, ipv4)) {
        addr = addr_of_ipv4(nfct_get_attr(flow, ipv4));
    } else if (nfct_attr_is_set(flow, ipv6)) {
        memcpy(&addr, nfct_get_attr(flow, ipv6), sizeof addr);
    }
    return addr;
}

static bool
has_target(const struct conntrack_targets *t, const struct in6_addr *service,
           const struct in6_addr *app)
{
    const struct conntrack_target key = { *service, *app };

    return bsearch(&key, t->targets, t->n, sizeof key, compare_targets);
}

static bool
is_between(const struct conntrack_targets *t, struct in6_addr service,
           struct in6_addr app)
{
    return (has_target(t, &service, &in6addr_any)
            || has_target(t, &service, &app));
}

/* Whether a UE has begun it, to one of the targets. */
static bool
is_to(const struct conntrack_targets *t, const struct nf_conntrack *flow)
{
    return t->n && is_between(t, addr_in(flow, ATTR_ORIG_IPV4_DST,
                                         ATTR_ORIG_IPV6_DST),
                              addr_in(flow, ATTR_REPL_IPV4_SRC,
                                      ATTR_REPL_IPV6_SRC));
}

/* Whether it goes to one of the targets, or an application has begun it as one
 * of them. */
static bool
is_of(const struct conntrack_targets *t, const struct nf_conntrack *flow)
{
    return (is_to(t, flow)
            || (t->n && is_between(t, addr_in(flow, ATTR_REPL_IPV4_DST,
                                              ATTR_REPL_IPV6_DST),
                                   addr_in(flow, ATTR_ORIG_IPV4_SRC,
                                           ATTR_ORIG_IPV6_SRC))));
}

/* Whether it is a TCP connection that a UE has open to one of the
 * targets. */
static bool
is_open_to(const struct conntrack_targets *t, const struct nf_conntrack *flow)
{
    const uint8_t state = nfct_get_attr_u8(flow, ATTR_TCP_STATE);

    return (nfct_get_attr_u8(flow, ATTR_L4PROTO) == IPPROTO_TCP
            && state >= TCP_CONNTRACK_SYN_RECV
            && state <= TCP_CONNTRACK_LAST_ACK
            && is_to(t, flow));
}

static void
list(const struct conntrack_wanted *wanted, const struct nf_conntrack *flow)
{
    struct tcp_connection c;

    c.ue = addr_in(flow, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC);
    c.service = addr_in(flow, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST);
    c.ue_port = nfct_get_attr_u16(flow, ATTR_ORIG_PORT_SRC);
    c.service_port = nfct_get_attr_u16(flow, ATTR_ORIG_PORT_DST);
    wanted->found(&c);
}

static void
probe(const struct conntrack_wanted *wanted, const struct nf_conntrack *flow)
{
    struct nat_tcp c;

    c.app = addr_in(flow, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC);
    c.ue = addr_in(flow, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST);
    c.app_port = nfct_get_attr_u16(flow, ATTR_REPL_PORT_SRC);
    c.ue_port = nfct_get_attr_u16(flow, ATTR_REPL_PORT_DST);
    wanted->probe(&c);
}

/* The mark that 'flow' should have; the one that it has if that is right. */
static uint32_t
wanted_mark(const struct conntrack_wanted *wanted,
            const struct nf_conntrack *flow)
{
    uint32_t mark = nfct_get_attr_u32(flow, ATTR_MARK);

    /* The zone is only the original direction's. */
    return (mark && wanted->mark_of
            ? wanted->mark_of(mark, nfct_get_attr_u16(flow, ATTR_ORIG_ZONE))
            : mark);
}

/* Deletes 'flow', or gives it 'mark' unless that is 0.  That it has gone is no
 * error; what has taken its place stays, as it has another id. */
static int
change(struct conntrack *ct, const struct nf_conntrack *flow, uint32_t mark)
{
    char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = start(buf, (mark ? IPCTNL_MSG_CT_NEW
                                       : IPCTNL_MSG_CT_DELETE),
                                 nfct_get_attr_u8(flow, ATTR_L3PROTO), 0);
    struct nf_conntrack *wanted = nfct_new();
    int error;

    if (!wanted) {
        return ENOMEM;
    }
    nfct_copy(wanted, flow, NFCT_CP_ORIG);
    if (nfct_attr_is_set(flow, ATTR_ORIG_ZONE)) {
        nfct_copy_attr(wanted, flow, ATTR_ORIG_ZONE);
    }
    if (nfct_attr_is_set(flow, ATTR_ZONE)) {
        nfct_copy_attr(wanted, flow, ATTR_ZONE);
    }
    if (mark) {
        nfct_set_attr_u32(wanted, ATTR_MARK, mark);
    }
    nfct_nlmsg_build(nlh, wanted);
    nfct_destroy(wanted);
    mnl_attr_put_u32(nlh, CTA_ID, htonl(nfct_get_attr_u32(flow, ATTR_ID)));
    error = netlink_talk(&ct->nl, nlh, NULL, NULL);
    return error == ENOENT ? 0 : error;
}

static int
look_at(struct conntrack *ct, const struct conntrack_wanted *wanted,
        const struct nf_conntrack *flow)
{
    uint32_t mark;

    if (is_open_to(&wanted->listed, flow)) {
        list(wanted, flow);
    }
    if (is_of(&wanted->unserved, flow)) {
        return change(ct, flow, 0);
    } else if (is_open_to(&wanted->ended, flow)) {
        probe(wanted, flow);
    } else if (is_of(&wanted->ended, flow)) {
        return change(ct, flow, 0);
    }
    mark = wanted_mark(wanted, flow);
    return (mark == nfct_get_attr_u32(flow, ATTR_MARK) ? 0
            : change(ct, flow, mark));
}

struct step {
    struct conntrack *ct;
    const struct conntrack_wanted *wanted;
};

static int
step_cb(const struct nlmsghdr *nlh, void *step_)
{
    const struct step *step = step_;
    struct nf_conntrack *flow = nfct_new();
    int error = !flow ? ENOMEM : nfct_nlmsg_parse(nlh, flow) ? errno : 0;

    if (!error) {
        error = look_at(step->ct, step->wanted, flow);
    }
    if (flow) {
        nfct_destroy(flow);
    }
    errno = error;
    return error ? MNL_CB_ERROR : MNL_CB_OK;
}

static void
sort_targets(struct conntrack_targets *t)
{
    if (t->n) {
        qsort(t->targets, t->n, sizeof *t->targets, compare_targets);
    }
}

int
conntrack_walk_begin(struct conntrack *ct, struct conntrack_wanted *wanted)
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = start(buf, IPCTNL_MSG_CT_GET, AF_UNSPEC,
                                 NLM_F_REQUEST | NLM_F_DUMP);

    sort_targets(&wanted->unserved);
    sort_targets(&wanted->ended);
    sort_targets(&wanted->listed);
    netlink_drain(&ct->dump);
    nlh->nlmsg_seq = ++ct->dump.seq;
    return netlink_send(&ct->dump, nlh, nlh->nlmsg_len);
}

int
conntrack_walk_next(struct conntrack *ct,
                    const struct conntrack_wanted *wanted)
{
    char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct step step = { ct, wanted };
    size_t len;
    int error = netlink_receive(&ct->dump, buf, sizeof buf, &len);
    int run;

    if (error) {
        return error;
    }
    run = mnl_cb_run(buf, len, ct->dump.seq, 0, step_cb, &step);
    return run < 0 ? errno : run > MNL_CB_STOP ? EINPROGRESS : 0;
}

static int
stats_cb(const struct nlmsghdr *nlh, void *fill_)
{
    struct conntrack_fill *fill = fill_;
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_ENTRIES) {
            fill->n = ntohl(mnl_attr_get_u32(attr));
        } else if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_MAX_ENTRIES) {
            fill->max = ntohl(mnl_attr_get_u32(attr));
        }
    }
    return MNL_CB_OK;
}

int
conntrack_get_fill(struct conntrack *ct, struct conntrack_fill *fill)
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));

    *fill = (struct conntrack_fill) { 0, 0 };
    return netlink_talk(&ct->nl, start(buf, IPCTNL_MSG_CT_GET_STATS,
                                       AF_UNSPEC, 0), stats_cb, fill);
}
