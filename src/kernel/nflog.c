/* SPDX-License-Identifier: GPL-3.0-or-later */

/* NFLOG: see nflog.h. */

#include "kernel/nflog.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <libmnl/libmnl.h>

#define BUDGET 64               /* Messages a round, up to 100 copies each. */
#define DELAY 1                 /* That copies wait for others; 10 ms. */
#define BUFFER 0x10000
#define SOCKET_BUFFER (2 << 20)

/* Messages. */

struct parsing {
    const struct nlattr *header, *payload, *prefix, *number;
};

static int
note_attr(const struct nlattr *attr, void *parsing_)
{
    struct parsing *parsing = parsing_;

    switch (mnl_attr_get_type(attr)) {
    case NFULA_PACKET_HDR:
        parsing->header = attr;
        break;
    case NFULA_PAYLOAD:
        parsing->payload = attr;
        break;
    case NFULA_PREFIX:
        parsing->prefix = attr;
        break;
    case NFULA_SEQ:
        parsing->number = attr;
        break;
    }
    return MNL_CB_OK;
}

/* How many bytes of the copy are in front of its IP header: what is about to
 * leave has its Ethernet header already. */
static size_t
ip_offset(const struct nfgenmsg *nfg, const struct nlattr *header)
{
    struct nfulnl_msg_packet_hdr h = { .hook = NF_NETDEV_INGRESS };

    if (header && mnl_attr_get_payload_len(header) >= sizeof h) {
        memcpy(&h, mnl_attr_get_payload(header), sizeof h);
    }
    return (nfg->nfgen_family == NFPROTO_NETDEV
            && h.hook == NF_NETDEV_EGRESS ? ETH_HLEN : 0);
}

bool
nflog_parse(const struct nlmsghdr *nlh, struct nflog_packet *p)
{
    const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
    struct parsing parsing = { .payload = NULL };
    size_t offset;

    if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)
        || mnl_nlmsg_get_payload_len(nlh) < sizeof *nfg
        || mnl_attr_parse(nlh, sizeof *nfg, note_attr, &parsing) < 0
        || !parsing.payload || !parsing.prefix || !parsing.number
        || mnl_attr_validate(parsing.prefix, MNL_TYPE_NUL_STRING) < 0
        || mnl_attr_validate(parsing.number, MNL_TYPE_U32) < 0) {
        return false;
    }
    offset = ip_offset(nfg, parsing.header);
    if (mnl_attr_get_payload_len(parsing.payload) <= offset) {
        return false;
    }
    p->ip = (const uint8_t *) mnl_attr_get_payload(parsing.payload) + offset;
    p->len = mnl_attr_get_payload_len(parsing.payload) - offset;
    p->prefix = mnl_attr_get_str(parsing.prefix);
    p->number = ntohl(mnl_attr_get_u32(parsing.number));
    return true;
}

/* The socket. */

static struct nlmsghdr *
put_config(char *buf, uint16_t group, uint32_t captured)
{
    const struct nfulnl_msg_config_cmd cmd = {
        .command = NFULNL_CFG_CMD_BIND,
    };
    const struct nfulnl_msg_config_mode mode = {
        .copy_range = htonl(captured), .copy_mode = NFULNL_COPY_PACKET,
    };
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct nfgenmsg *nfg;

    nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);
    nfg->nfgen_family = AF_UNSPEC;
    nfg->version = NFNETLINK_V0;
    nfg->res_id = htons(group);
    mnl_attr_put(nlh, NFULA_CFG_CMD, sizeof cmd, &cmd);
    mnl_attr_put(nlh, NFULA_CFG_MODE, sizeof mode, &mode);
    mnl_attr_put_u32(nlh, NFULA_CFG_TIMEOUT, htonl(DELAY));
    mnl_attr_put_u16(nlh, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return nlh;
}

int
nflog_open(struct nflog *log, int netns_fd, uint16_t group, uint32_t captured)
{
    char buf[MNL_SOCKET_BUFFER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    int error, one = 1, size = SOCKET_BUFFER;

    *log = (struct nflog) { .next = 0 };
    error = netlink_open(&log->nl, netns_fd, NETLINK_NETFILTER);
    if (!error) {
        error = netlink_talk(&log->nl,
                             put_config(buf, group, captured + ETH_HLEN),
                             NULL, NULL);
        if (error) {
            netlink_close(&log->nl);
        }
    }
    if (!error) {
        mnl_socket_setsockopt(log->nl.socket, NETLINK_NO_ENOBUFS, &one,
                              sizeof one);
        setsockopt(nflog_fd(log), SOL_SOCKET, SO_RCVBUFFORCE, &size,
                   sizeof size);
    }
    return error;
}

void
nflog_close(struct nflog *log)
{
    netlink_close(&log->nl);
}

int
nflog_fd(const struct nflog *log)
{
    return mnl_socket_get_fd(log->nl.socket);
}

struct run {
    struct nflog *log;
    nflog_cb *cb;
};

static int
take(const struct nlmsghdr *nlh, void *run_)
{
    struct run *run = run_;
    struct nflog_packet p;

    if (nflog_parse(nlh, &p)) {
        run->log->lost += p.number - run->log->next;
        run->log->next = p.number + 1;
        run->cb(&p);
    }
    return MNL_CB_OK;
}

void
nflog_run(struct nflog *log, nflog_cb *cb)
{
    static char buf[BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct run run = { log, cb };
    size_t len;

    for (int i = 0; i < BUDGET; i++) {
        if (netlink_receive(&log->nl, buf, sizeof buf, &len)) {
            break;
        }
        mnl_cb_run(buf, len, 0, 0, take, &run);
    }
}
