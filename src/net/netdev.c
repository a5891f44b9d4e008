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

#include <libmnl/libmnl.h>

#include "net/netlink.h"

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
    genl = mnl_nlmsg_put_extra_header(nlh, sizeof *genl);
    genl->cmd = cmd;
    genl->version = 1;
    return nlh;
}

static int
ask_features(struct netlink *nl, int ifindex, uint64_t *features)
{
    struct answer family = { .wanted = CTRL_ATTR_FAMILY_ID };
    struct answer answer = { .wanted = NETDEV_A_DEV_XDP_FEATURES };
    struct nlmsghdr *nlh;
    char buf[256];
    int error;

    nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, "netdev");
    error = netlink_talk(nl, nlh, take_message, &family);
    if (error || !family.found) {
        return EOPNOTSUPP;
    }
    nlh = request(buf, family.value, NETDEV_CMD_DEV_GET);
    mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX, ifindex);
    error = netlink_talk(nl, nlh, take_message, &answer);
    *features = answer.value;
    return error ? error : answer.found ? 0 : EOPNOTSUPP;
}

int
netdev_can_xdp_xmit(int ifindex, bool *can)
{
    uint64_t features = 0;
    struct netlink nl;
    int error = netlink_open(&nl, -1, NETLINK_GENERIC);

    if (!error) {
        error = ask_features(&nl, ifindex, &features);
        netlink_close(&nl);
    }
    *can = features & NETDEV_XDP_ACT_NDO_XMIT;
    return error;
}
