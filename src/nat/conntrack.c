/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deletes conntrack entries, and changes their marks, over ctnetlink, whose
 * messages libnetfilter_conntrack reads and writes.
 *
 * Place in the flow: nat.c calls this when a service goes or gets another
 * application, since the flows that are there would keep their address
 * translation; and when bearers have gone, whose marks flows still have.
 *
 * What is wanted is dumped, and changed one by one; deleted with its id, so
 * that an entry that has taken its place in between stays. */

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

#include "kernel/netlink.h"

struct conntrack {
    struct netlink nl;
};

/* A request to change one entry. */
struct entry {
    struct entry *next;
    struct nlmsghdr request[];
};

int
conntrack_open(int netns_fd, struct conntrack **ctp)
{
    struct conntrack *ct = calloc(1, sizeof *ct);
    int error = (ct ? netlink_open(&ct->nl, netns_fd, NETLINK_NETFILTER)
                 : ENOMEM);

    if (error) {
        free(ct);
        ct = NULL;
    }
    *ctp = ct;
    return error;
}

void
conntrack_close(struct conntrack *ct)
{
    if (ct) {
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

struct search {
    uint16_t type;              /* CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. */
    const struct in6_addr *addr;
    /* If nonnull, asked instead: for a new mark. */
    uint32_t (*mark_of)(uint32_t mark, uint16_t zone);
    struct entry *found;
};

/* Whether the tuple that 'search' is about goes to its address. */
static bool
goes_there(const struct search *search, const struct nf_conntrack *flow)
{
    bool orig = search->type == CTA_TUPLE_ORIG;
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(search->addr);
    const void *addr = nfct_get_attr(flow, ipv4
                                     ? (orig ? ATTR_ORIG_IPV4_DST
                                        : ATTR_REPL_IPV4_DST)
                                     : (orig ? ATTR_ORIG_IPV6_DST
                                        : ATTR_REPL_IPV6_DST));

    return addr && (ipv4 ? !memcmp(addr, &search->addr->s6_addr[12], 4)
                    : !memcmp(addr, search->addr, 16));
}

/* Sets '*mark' if it is a new mark that is wanted. */
static bool
is_wanted(const struct search *search, const struct nf_conntrack *flow,
          uint32_t *mark)
{
    uint32_t old;

    if (!search->mark_of) {
        return goes_there(search, flow);
    }
    old = nfct_get_attr_u32(flow, ATTR_MARK);
    /* The zone is only the original direction's. */
    *mark = old ? search->mark_of(old, nfct_get_attr_u16(flow, ATTR_ORIG_ZONE))
            : 0;
    return *mark != old;
}

/* Adds a request that deletes 'flow', or gives it 'mark' unless that is 0. */
static int
add_request(struct search *search, const struct nf_conntrack *flow,
            uint32_t mark)
{
    char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = start(buf, (mark ? IPCTNL_MSG_CT_NEW
                                       : IPCTNL_MSG_CT_DELETE),
                                 nfct_get_attr_u8(flow, ATTR_L3PROTO), 0);
    struct nf_conntrack *wanted = nfct_new();
    struct entry *entry;

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

    entry = malloc(sizeof *entry + nlh->nlmsg_len);
    if (!entry) {
        return ENOMEM;
    }
    memcpy(entry->request, nlh, nlh->nlmsg_len);
    entry->next = search->found;
    search->found = entry;
    return 0;
}

static int
search_cb(const struct nlmsghdr *nlh, void *search_)
{
    struct search *search = search_;
    struct nf_conntrack *flow = nfct_new();
    int error = !flow ? ENOMEM : nfct_nlmsg_parse(nlh, flow) ? errno : 0;
    uint32_t mark = 0;

    if (!error && is_wanted(search, flow, &mark)) {
        error = add_request(search, flow, mark);
    }
    if (flow) {
        nfct_destroy(flow);
    }
    errno = error;
    return error ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Asks the kernel (5.8 or later) to dump only entries whose tuple 'type' goes
 * to the IPv4 address 'addr'.  An older one dumps all: search_cb() looks for
 * itself. */
static void
put_filter(struct nlmsghdr *nlh, uint16_t type, const struct in6_addr *addr)
{
    enum { FILTER_IP_DST = 1 << 1 };    /* The kernel's CTA_FILTER_FLAG(). */
    bool orig = type == CTA_TUPLE_ORIG;
    struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
    struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

    mnl_attr_put(nlh, CTA_IP_V4_DST, 4, addr->s6_addr + 12);
    mnl_attr_nest_end(nlh, nest);
    mnl_attr_nest_end(nlh, tuple);
    nest = mnl_attr_nest_start(nlh, CTA_FILTER);
    mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, orig ? FILTER_IP_DST : 0);
    mnl_attr_put_u32(nlh, CTA_FILTER_REPLY_FLAGS, orig ? 0 : FILTER_IP_DST);
    mnl_attr_nest_end(nlh, nest);
}

/* Changes what the dump 'nlh' shows and 'search' wants. */
static int
search_and_change(struct conntrack *ct, struct nlmsghdr *nlh,
                  struct search *search)
{
    int error = netlink_talk(&ct->nl, nlh, search_cb, search);

    while (search->found) {
        struct entry *entry = search->found;
        int error2 = netlink_talk(&ct->nl, entry->request, NULL, NULL);

        search->found = entry->next;
        error = error || error2 == ENOENT ? error : error2;
        free(entry);
    }
    return error;
}

/* Deletes the entries whose tuple 'type' goes to 'addr'. */
static int
flush_tuple(struct conntrack *ct, uint16_t type, const struct in6_addr *addr)
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct search search = { .type = type, .addr = addr };
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(addr);
    struct nlmsghdr *nlh = start(buf, IPCTNL_MSG_CT_GET,
                                 ipv4 ? AF_INET : AF_INET6, NLM_F_DUMP);

    /* For IPv6, Linux (6.18) does it the wrong way round. */
    if (ipv4) {
        put_filter(nlh, type, addr);
    }
    return search_and_change(ct, nlh, &search);
}

int
conntrack_remark(struct conntrack *ct,
                 uint32_t (*mark_of)(uint32_t mark, uint16_t zone))
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct search search = { .mark_of = mark_of };
    struct nlmsghdr *nlh = start(buf, IPCTNL_MSG_CT_GET, AF_UNSPEC,
                                 NLM_F_DUMP);

    return search_and_change(ct, nlh, &search);
}

int
conntrack_flush_service(struct conntrack *ct, const struct in6_addr *addr)
{
    int error = flush_tuple(ct, CTA_TUPLE_ORIG, addr);

    return error ? error : flush_tuple(ct, CTA_TUPLE_REPLY, addr);
}
