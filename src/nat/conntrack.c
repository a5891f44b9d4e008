/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Deletes conntrack entries, and changes their marks, over ctnetlink.
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

#include "kernel/netlink.h"

struct conntrack {
    struct netlink nl;
};

/* What to change one entry: its original tuple, zone and id, as attributes. */
struct entry {
    struct entry *next;
    uint8_t family;
    uint32_t mark;              /* The one that it gets, unless it is to go. */
    size_t len;
    char attrs[];
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

/* Whether the destination address in the tuple 'tuple' is 'addr'. */
static bool
tuple_goes_to(const struct nlattr *tuple, const struct in6_addr *addr)
{
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(addr);
    const uint8_t *bytes = addr->s6_addr + (ipv4 ? 12 : 0);
    size_t len = ipv4 ? 4 : 16;
    const struct nlattr *ip, *attr;

    mnl_attr_for_each_nested(ip, tuple) {
        if (mnl_attr_get_type(ip) != CTA_TUPLE_IP) {
            continue;
        }
        mnl_attr_for_each_nested(attr, ip) {
            if (mnl_attr_get_type(attr) == (ipv4 ? CTA_IP_V4_DST
                                            : CTA_IP_V6_DST)
                && mnl_attr_get_payload_len(attr) == len
                && !memcmp(mnl_attr_get_payload(attr), bytes, len)) {
                return true;
            }
        }
    }
    return false;
}

struct search {
    uint16_t type;              /* CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. */
    const struct in6_addr *addr;
    /* If nonnull, asked instead: for a new mark. */
    uint32_t (*mark_of)(uint32_t mark, uint16_t zone);
    struct entry *found;
};

/* The zone that is only the original direction's. */
static uint16_t
zone_of(const struct nlattr *tuple)
{
    const struct nlattr *attr;

    if (tuple) {
        mnl_attr_for_each_nested(attr, tuple) {
            if (mnl_attr_get_type(attr) == CTA_TUPLE_ZONE) {
                return ntohs(mnl_attr_get_u16(attr));
            }
        }
    }
    return 0;
}

/* Sets '*mark' if it is a new mark that is wanted. */
static bool
is_wanted(const struct search *search, const struct nlattr *attrs[],
          uint32_t *mark)
{
    if (search->mark_of) {
        uint32_t old = (attrs[CTA_MARK]
                        ? ntohl(mnl_attr_get_u32(attrs[CTA_MARK])) : 0);

        *mark = (old ? search->mark_of(old, zone_of(attrs[CTA_TUPLE_ORIG]))
                 : 0);
        return *mark != old;
    }
    return attrs[search->type]
           && tuple_goes_to(attrs[search->type], search->addr);
}

static int
search_cb(const struct nlmsghdr *nlh, void *search_)
{
    static const int kept[] = { CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID };
    struct search *search = search_;
    const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attrs[CTA_MAX + 1] = { NULL };
    const struct nlattr *attr;
    struct entry *entry;
    uint32_t mark = 0;

    mnl_attr_for_each(attr, nlh, sizeof *nfg) {
        if (mnl_attr_get_type(attr) <= CTA_MAX) {
            attrs[mnl_attr_get_type(attr)] = attr;
        }
    }
    if (!is_wanted(search, attrs, &mark)) {
        return MNL_CB_OK;
    }

    entry = malloc(sizeof *entry + nlh->nlmsg_len);
    if (!entry) {
        errno = ENOMEM;
        return MNL_CB_ERROR;
    }
    *entry = (struct entry) { .next = search->found, .mark = mark,
                              .family = nfg->nfgen_family };
    search->found = entry;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        attr = attrs[kept[i]];
        if (attr) {
            memcpy(entry->attrs + entry->len, attr, attr->nla_len);
            entry->len += MNL_ALIGN(attr->nla_len);
        }
    }
    return MNL_CB_OK;
}

/* Deletes 'entry', or gives it its mark. */
static int
change(struct conntrack *ct, const struct entry *entry)
{
    char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = start(buf, (entry->mark ? IPCTNL_MSG_CT_NEW
                                           : IPCTNL_MSG_CT_DELETE),
                                 entry->family, 0);
    int error;

    if (nlh->nlmsg_len + entry->len + 8 > sizeof buf) {
        return EMSGSIZE;
    }
    memcpy(buf + nlh->nlmsg_len, entry->attrs, entry->len);
    nlh->nlmsg_len += entry->len;
    if (entry->mark) {
        mnl_attr_put_u32(nlh, CTA_MARK, htonl(entry->mark));
    }
    error = netlink_talk(&ct->nl, nlh, NULL, NULL);
    return error == ENOENT ? 0 : error;
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
        int error2;

        search->found = entry->next;
        error2 = change(ct, entry);
        error = error ? error : error2;
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
