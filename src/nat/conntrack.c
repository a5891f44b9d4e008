/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deletes conntrack entries, and changes their marks, over ctnetlink, whose
 * messages libnetfilter_conntrack reads and writes.
 *
 * Place in the flow: flows.c has the table walked when a service has gone or
 * got another application, since the flows that are there would keep their
 * address translation; and when bearers have gone, whose marks flows still
 * have.
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
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include "base/addr.h"
#include "kernel/netlink.h"

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
compare_addrs(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct in6_addr));
}

/* Whether 'flow' goes to one of the addresses in the attribute of its
 * family. */
static bool
goes_to(const struct conntrack_wanted *wanted, const struct nf_conntrack *flow,
        enum nf_conntrack_attr ipv4, enum nf_conntrack_attr ipv6)
{
    struct in6_addr addr;

    if (nfct_attr_is_set(flow, ipv4)) {
        addr = addr_of_ipv4(nfct_get_attr(flow, ipv4));
    } else if (nfct_attr_is_set(flow, ipv6)) {
        memcpy(&addr, nfct_get_attr(flow, ipv6), sizeof addr);
    } else {
        return false;
    }
    return bsearch(&addr, wanted->unserved, wanted->n_unserved, sizeof addr,
                   compare_addrs);
}

static bool
is_unserved(const struct conntrack_wanted *wanted,
            const struct nf_conntrack *flow)
{
    return (wanted->n_unserved
            && (goes_to(wanted, flow, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST)
                || goes_to(wanted, flow, ATTR_REPL_IPV4_DST,
                           ATTR_REPL_IPV6_DST)));
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

    if (!error && is_unserved(step->wanted, flow)) {
        error = change(step->ct, flow, 0);
    } else if (!error) {
        uint32_t mark = wanted_mark(step->wanted, flow);

        if (mark != nfct_get_attr_u32(flow, ATTR_MARK)) {
            error = change(step->ct, flow, mark);
        }
    }
    if (flow) {
        nfct_destroy(flow);
    }
    errno = error;
    return error ? MNL_CB_ERROR : MNL_CB_OK;
}

int
conntrack_walk_begin(struct conntrack *ct, struct conntrack_wanted *wanted)
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = start(buf, IPCTNL_MSG_CT_GET, AF_UNSPEC,
                                 NLM_F_REQUEST | NLM_F_DUMP);

    if (wanted->n_unserved) {
        qsort(wanted->unserved, wanted->n_unserved, sizeof *wanted->unserved,
              compare_addrs);
    }
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
