/* SPDX-License-Identifier: GPL-3.0-or-later */

/* NFQUEUE over libmnl and libnetfilter_queue: see nfq.h.
 *
 * One socket a queue, so that a storm of copies cannot push held packets out
 * of a socket buffer.  The buffer, not the queue's length, is what bounds a
 * queue. */

#include <config.h>

#include "filter/nfq.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/rtnl.h"
#include "kernel/untag.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "base/status.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nfq);

#define LEARN_NETNS "tof-learn"
#define BUDGET 256              /* Packets a queue and round. */
#define HELD_MAX 4096           /* In a queue of the kernel's. */
#define COPIES_MAX 65536        /* Likewise. */
#define SOCKET_BUFFER (8 << 20)
#define FRAGMENTS_SECONDS "2"   /* They wait for each other. */

METRIC_COUNTER(n_copy_enb, "tof_queue_packets_total", "queue=\"copy_enb\"",
               "Packets read from a queue.");
METRIC_COUNTER(n_copy_sgw, "tof_queue_packets_total", "queue=\"copy_sgw\"",
               "Packets read from a queue.");
METRIC_COUNTER(n_hold_enb, "tof_queue_packets_total", "queue=\"hold_enb\"",
               "Packets read from a queue.");
METRIC_COUNTER(n_hold_sgw, "tof_queue_packets_total", "queue=\"hold_sgw\"",
               "Packets read from a queue.");

struct queue {
    struct netlink nl;
    struct metric *packets;
    uint32_t last_id;           /* Highest id without a verdict. */
    bool verdict_due;
    bool behind;                /* The last reading has not emptied it. */
    long long int empty_at;     /* When it was last known to be empty. */
};

static struct queue queues[N_QUEUES] = {
    [QUEUE_COPY_ENB] = { .packets = &n_copy_enb },
    [QUEUE_COPY_SGW] = { .packets = &n_copy_sgw },
    [QUEUE_HOLD_ENB] = { .packets = &n_hold_enb },
    [QUEUE_HOLD_SGW] = { .packets = &n_hold_sgw },
};
static nfq_cb *packet_cb;
static bool take_tagged;

static const struct nft_table learn_inet = { NFPROTO_INET, "tof_learn" };
static const struct nft_table learn_dev = { NFPROTO_NETDEV, "tof_learn" };
static struct nft *learn_nft;           /* In the namespace. */
static uint64_t learn_weight;           /* Of both, as they were installed. */

/* Everything that comes in by q0 ... q3 goes to its queue, by 'to_queue', one
 * of the two ways that there are.  A copy is for another host's MAC address,
 * so it is called ours first.  With no reader the packet passes the first
 * chain; the second drops it. */
static int
try_rules(void (*to_queue)(struct nftnl_rule *, uint16_t), char **what)
{
    const struct nft_table inet = learn_inet, dev = learn_dev;
    const uint8_t host = 0;
    struct nft_batch *b = nft_begin(learn_nft);

    nft_table_add(b, &inet, 0);
    nft_table_add(b, &dev, 0);
    nft_chain_flush(b, &inet, NULL);
    nft_chain_flush(b, &dev, NULL);
    nft_chain_add(b, &inet, &(struct nft_chain) {
                      .name = "queue", .type = "filter",
                      .hook = NF_INET_PRE_ROUTING, .prio = -300 });
    nft_chain_add(b, &inet, &(struct nft_chain) {
                      .name = "end", .type = "filter",
                      .hook = NF_INET_PRE_ROUTING, .prio = -299 });
    for (int q = 0; q < N_QUEUES; q++) {
        char link[16] = "";
        snprintf(link, sizeof link, "q%d", q);

        nft_chain_add(b, &dev, &(struct nft_chain) {
                          .name = link, .type = "filter",
                          .hook = NF_NETDEV_INGRESS, .dev = link });
        struct nftnl_rule *r = nft_rule(&dev, link);
        nft_x_imm(r, NFT_REG32_00, &host, sizeof host);
        nft_x_meta_set(r, NFT_META_PKTTYPE, NFT_REG32_00);
        nft_rule_add(b, r);

        r = nft_rule(&inet, "queue");
        nft_x_meta(r, NFT_META_IIFNAME, NFT_REG_1);
        nft_x_cmp(r, NFT_REG_1, NFT_CMP_EQ, link, sizeof link);
        to_queue(r, q);
        nft_rule_add(b, r);
    }
    /* That a rule asks for a connection makes the kernel put fragments
     * together before the first chain. */
    struct nftnl_rule *r = nft_rule(&inet, "end");
    nft_x_ct(r, NFT_CT_STATE, NFT_REG32_00);
    nft_x_verdict(r, NF_DROP, NULL);
    nft_rule_add(b, r);
    r = nft_rule(&inet, "end");
    nft_x_counter(r);
    nft_x_verdict(r, NF_DROP, NULL);
    nft_rule_add(b, r);
    return nft_commit(b, what);
}

static int
weigh_rules(uint64_t *weight)
{
    uint64_t inet, dev;
    int error = nft_table_weigh(learn_nft, &learn_inet, &inet);

    if (!error) {
        error = nft_table_weigh(learn_nft, &learn_dev, &dev);
        *weight = inet << 32 | dev;
    }
    return error;
}

/* In the way that the kernel has. */
static int
install_rules(int netns, char **what)
{
    const char *way = "nftables' queue expression";
    int error = nft_open(netns, &learn_nft);

    if (error) {
        *what = xstrdup("nftables socket in " LEARN_NETNS);
        return error;
    }
    error = try_rules(nft_x_queue, what);
    if (error == ENOENT || error == EOPNOTSUPP) {
        free(*what);
        *what = NULL;
        way = "the NFQUEUE target of iptables";
        error = try_rules(nft_x_nfqueue, what);
    }
    if (!error) {
        status_fact("queues", way);
        error = weigh_rules(&learn_weight);
    }
    return error;
}

static int
make_link(struct rtnl *rtnl, int netns, int q, unsigned int mtu, char **what)
{
    char name[16], peer[16];
    struct rtnl *inner;
    int error;

    snprintf(name, sizeof name, FILTER_QUEUE_LINK, q);
    snprintf(peer, sizeof peer, "q%d", q);
    error = rtnl_veth_ensure(rtnl, name, peer, netns, mtu);
    if (!error) {
        error = rtnl_open(netns, &inner);
    }
    if (error) {
        *what = xasprintf("interface %s", name);
        return error;
    }
    sysctl_write(-1, "1", "net/ipv6/conf/%s/disable_ipv6", name);
    rtnl_link_no_addrgen(inner, peer);
    sysctl_write(netns, "0", "net/ipv6/conf/%s/disable_ipv6", peer);
    sysctl_write(netns, "0", "net/ipv6/conf/%s/accept_ra", peer);
    sysctl_write(netns, "0", "net/ipv4/conf/%s/rp_filter", peer);
    int untag_error = link_untag(netns, peer);
    if (untag_error) {
        take_tagged = false;
        VLOG_WARN("VLAN-tagged packets are only switched: BPF: %s",
                  ovs_strerror(untag_error));
    }
    error = rtnl_link_set_up(rtnl, name, true);
    if (!error) {
        error = rtnl_link_set_up(inner, peer, true);
    }
    if (error) {
        *what = xasprintf("interface %s", name);
    }
    rtnl_close(inner);
    return error;
}

static int
make_namespace(unsigned int mtu, int *netns, char **what)
{
    struct rtnl *rtnl;
    int error = netns_ensure(LEARN_NETNS, netns, NULL);

    if (error) {
        *what = xstrdup("namespace " LEARN_NETNS);
        return error;
    }
    error = rtnl_open(-1, &rtnl);
    if (error) {
        close(*netns);
        *what = xstrdup("rtnetlink socket");
        return error;
    }
    sysctl_write(*netns, "0", "net/ipv4/conf/all/rp_filter");
    sysctl_write(*netns, FRAGMENTS_SECONDS, "net/ipv4/ipfrag_time");
    sysctl_write(*netns, FRAGMENTS_SECONDS,
                 "net/netfilter/nf_conntrack_frag6_timeout");
    take_tagged = true;
    for (int q = 0; !error && q < N_QUEUES; q++) {
        error = make_link(rtnl, *netns, q, mtu, what);
    }
    rtnl_close(rtnl);
    if (!error) {
        error = install_rules(*netns, what);
    }
    if (error) {
        close(*netns);
    }
    return error;
}

static int
open_queue(struct queue *q, enum filter_queue number, int netns)
{
    char buf[MNL_SOCKET_BUFFER_SIZE];
    struct nlmsghdr *nlh;
    int one = 1, size = SOCKET_BUFFER;
    int error = netlink_open(&q->nl, netns, NETLINK_NETFILTER);

    if (error) {
        return error;
    }
    q->empty_at = time_msec();
    nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, number);
    nfq_nlmsg_cfg_put_cmd(nlh, AF_INET, NFQNL_CFG_CMD_BIND);
    error = netlink_talk(&q->nl, nlh, NULL, NULL);
    if (!error) {
        nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, number);
        nfq_nlmsg_cfg_put_params(nlh, NFQNL_COPY_PACKET, 0xffff);
        nfq_nlmsg_cfg_put_qmaxlen(nlh, queue_is_held(number)
                                       ? HELD_MAX : COPIES_MAX);
        error = netlink_talk(&q->nl, nlh, NULL, NULL);
    }
    if (error) {
        return error;
    }
    mnl_socket_setsockopt(q->nl.socket, NETLINK_NO_ENOBUFS, &one, sizeof one);
    setsockopt(mnl_socket_get_fd(q->nl.socket), SOL_SOCKET, SO_RCVBUFFORCE,
               &size, sizeof size);
    return 0;
}

int
queues_init(unsigned int mtu, nfq_cb *cb, char **what)
{
    int netns, error;

    *what = NULL;
    packet_cb = cb;
    error = make_namespace(mtu, &netns, what);
    if (error) {
        return error;
    }
    for (int i = 0; !error && i < N_QUEUES; i++) {
        error = open_queue(&queues[i], i, netns);
        if (error) {
            *what = xasprintf("NFQUEUE %d%s", i,
                              error == EPERM || error == EBUSY
                              ? " (another reader?)" : "");
        }
    }
    close(netns);
    if (error) {
        queues_close();
    }
    return error;
}

void
queues_close(void)
{
    for (int i = 0; i < N_QUEUES; i++) {
        netlink_close(&queues[i].nl);
        queues[i].behind = false;
    }
    nft_close(learn_nft);
    learn_nft = NULL;
}

bool
queues_in_force(void)
{
    uint64_t weight;

    return (learn_nft
            && (weigh_rules(&weight) || weight == learn_weight));
}

bool
queues_take_tagged(void)
{
    return take_tagged;
}

struct burst {
    enum filter_queue number;
    unsigned int n;
};

static int
handle_message(const struct nlmsghdr *nlh, void *burst_)
{
    struct nlattr *attr[NFQA_MAX + 1] = { NULL };
    struct burst *burst = burst_;
    struct queue *q = &queues[burst->number];

    if (nfq_nlmsg_parse(nlh, attr) < 0 || !attr[NFQA_PACKET_HDR]) {
        return MNL_CB_OK;
    }
    const struct nfqnl_msg_packet_hdr *ph =
        mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
    q->last_id = ntohl(ph->packet_id);
    q->verdict_due = true;
    burst->n++;
    metric_inc(q->packets);
    if (attr[NFQA_PAYLOAD]) {
        struct nfq_packet p = {
            .queue = burst->number,
            .ip = mnl_attr_get_payload(attr[NFQA_PAYLOAD]),
            .len = mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]),
            .since = q->empty_at,
        };
        if (attr[NFQA_HWADDR]) {
            const struct nfqnl_msg_packet_hw *hw =
                mnl_attr_get_payload(attr[NFQA_HWADDR]);
            p.src_mac = hw->hw_addr;
        }
        if (attr[NFQA_MARK]) {
            p.tag = ntohl(mnl_attr_get_u32(attr[NFQA_MARK]));
        }
        packet_cb(&p);
    }
    return MNL_CB_OK;
}

/* One verdict for all packets up to the last one read. */
static void
send_verdict(struct queue *q, enum filter_queue number)
{
    char buf[256];
    struct nlmsghdr *nlh;
    struct nfqnl_msg_verdict_hdr vh = {
        .verdict = htonl(NF_DROP), .id = htonl(q->last_id),
    };

    nlh = nfq_nlmsg_put(buf, NFQNL_MSG_VERDICT_BATCH, number);
    mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof vh, &vh);
    netlink_send(&q->nl, nlh, nlh->nlmsg_len);
    q->verdict_due = false;
}

static void
run_queue(enum filter_queue number)
{
    static char buf[0x20000];
    struct queue *q = &queues[number];
    struct burst burst = { .number = number };

    while (burst.n < BUDGET) {
        long long int asked = time_msec();
        size_t len;
        int error = netlink_receive(&q->nl, buf, sizeof buf, &len);

        if (error == EIO) {     /* There is nothing. */
            q->empty_at = asked;
        }
        if (error) {
            break;
        }
        mnl_cb_run(buf, len, 0, 0, handle_message, &burst);
    }
    if (q->verdict_due) {
        send_verdict(q, number);
    }
    q->behind = burst.n >= BUDGET;
    if (q->behind) {
        poll_immediate_wake();
    }
}

void
queues_run(void)
{
    static const enum filter_queue order[] = {
        QUEUE_HOLD_SGW, QUEUE_HOLD_ENB, QUEUE_COPY_ENB, QUEUE_COPY_SGW,
    };

    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (queues[order[i]].nl.socket) {
            run_queue(order[i]);
        }
    }
}

bool
queues_are_behind(void)
{
    return queues[QUEUE_COPY_ENB].behind || queues[QUEUE_COPY_SGW].behind;
}

void
queues_wait(void)
{
    for (int i = 0; i < N_QUEUES; i++) {
        if (queues[i].nl.socket) {
            poll_fd_wait(mnl_socket_get_fd(queues[i].nl.socket), POLLIN);
        }
    }
}
