/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a network interface can do for XDP, asked over generic netlink (family
 * "netdev", Linux 6.3).
 *
 * Place in the flow: endpoint_xdp.c asks before packets are redirected to an
 * interface by its driver, since one that cannot send them loses them: a veth
 * whose peer has neither GRO nor a program, or a driver without
 * ndo_xdp_xmit. */

#include "net/rtnl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>

/* include/uapi/linux/netdev.h; the headers that we build with may be older. */
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_NDO_XMIT 4

struct answer {
    uint16_t wanted;            /* Attribute. */
    uint64_t value;
    bool found;
};

static int
take_attr(const struct nlattr *attr, void *answer_)
{
    struct answer *answer = answer_;

    if (mnl_attr_get_type(attr) == answer->wanted) {
        size_t len = mnl_attr_get_payload_len(attr);
        uint16_t id;

        if (len == sizeof id) {
            memcpy(&id, mnl_attr_get_payload(attr), sizeof id);
            answer->value = id;
        } else if (len == sizeof answer->value) {
            memcpy(&answer->value, mnl_attr_get_payload(attr), len);
        }
        answer->found = true;
    }
    return MNL_CB_OK;
}

static int
take_message(const struct nlmsghdr *nlh, void *answer)
{
    mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_attr, answer);
    return MNL_CB_OK;
}

static struct nlmsghdr *
request(char *buf, uint16_t family, uint8_t cmd)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct genlmsghdr *genl;

    nlh->nlmsg_type = family;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    genl = mnl_nlmsg_put_extra_header(nlh, sizeof *genl);
    genl->cmd = cmd;
    genl->version = 1;
    return nlh;
}

static int
ask(struct mnl_socket *nl, struct nlmsghdr *nlh, struct answer *answer)
{
    char buf[8192];
    unsigned int seq = nlh->nlmsg_seq = time(NULL);
    ssize_t n = mnl_socket_sendto(nl, nlh, nlh->nlmsg_len);
    int rc = 1;

    while (n >= 0 && rc > 0) {
        n = mnl_socket_recvfrom(nl, buf, sizeof buf);
        rc = n < 0 ? -1 : mnl_cb_run(buf, n, seq, mnl_socket_get_portid(nl),
                                     take_message, answer);
    }
    return n < 0 || rc < 0 ? errno : 0;
}

static int
ask_features(struct mnl_socket *nl, int ifindex, uint64_t *features)
{
    struct answer family = { .wanted = CTRL_ATTR_FAMILY_ID };
    struct answer answer = { .wanted = NETDEV_A_DEV_XDP_FEATURES };
    struct nlmsghdr *nlh;
    char buf[256];
    int error;

    nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, "netdev");
    error = ask(nl, nlh, &family);
    if (error || !family.found) {
        return EOPNOTSUPP;
    }
    nlh = request(buf, family.value, NETDEV_CMD_DEV_GET);
    mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX, ifindex);
    error = ask(nl, nlh, &answer);
    *features = answer.value;
    return error ? error : answer.found ? 0 : EOPNOTSUPP;
}

int
netdev_can_xdp_xmit(int ifindex, bool *can)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
    uint64_t features = 0;
    int error;

    if (!nl) {
        return errno;
    }
    error = (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ? errno
             : ask_features(nl, ifindex, &features));
    mnl_socket_close(nl);
    *can = features & NETDEV_XDP_ACT_NDO_XMIT;
    return error;
}
