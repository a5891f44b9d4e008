/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a network interface can do for XDP.
 *
 * Place in the flow: xdp/endpoint.c asks before packets are redirected to an
 * interface by its driver, since one that cannot send them loses them: a veth
 * whose peer has neither GRO nor a program, or a driver without
 * ndo_xdp_xmit.
 *
 * Linux 6.3 and later tell, over generic netlink (family "netdev").  With an
 * older kernel it is tried: one frame is redirected there, and a tracing
 * program (xmit_probe.bpf.c) sees whether the interface took it.  That frame
 * is addressed to the interface's own MAC address, so it ends at the next
 * switch or host. */

#define _GNU_SOURCE 1

#include "kernel/netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>

#include "kernel/netlink.h"
#include "kernel/xmit_probe.skel.h"

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

/* --- Trying it. --- */

#define PROBE_LEN 60
#define PROBE_TYPE 0x88b5       /* IEEE 802: local experiments. */

/* Whether something can be sent there at this time.  IFF_RUNNING follows the
 * carrier up to a second later, so a driver that knows is asked itself. */
static int
check_link(int sock, struct ifreq *ifr)
{
    struct ethtool_value link = { .cmd = ETHTOOL_GLINK };

    ifr->ifr_data = (void *) &link;
    if (!ioctl(sock, SIOCETHTOOL, ifr)) {
        return link.data ? 0 : ENETDOWN;
    } else if (ioctl(sock, SIOCGIFFLAGS, ifr)) {
        return errno;
    }
    return ifr->ifr_flags & IFF_RUNNING ? 0 : ENETDOWN;
}

/* A frame from the interface to itself.  ENETDOWN if nothing can be sent
 * there at this time. */
static int
make_frame(int ifindex, uint8_t frame[PROBE_LEN])
{
    int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = { .ifr_ifindex = ifindex };
    int error = 0;

    memset(frame, 0, PROBE_LEN);
    if (ioctl(sock, SIOCGIFNAME, &ifr) || ioctl(sock, SIOCGIFHWADDR, &ifr)) {
        error = errno;
    } else {
        memcpy(frame, ifr.ifr_hwaddr.sa_data, 6);
        memcpy(frame + 6, ifr.ifr_hwaddr.sa_data, 6);
        frame[12] = PROBE_TYPE >> 8;
        frame[13] = PROBE_TYPE & 0xff;
        error = check_link(sock, &ifr);
    }
    close(sock);
    return error;
}

static int
send_probe(struct xmit_probe_bpf *probe, uint8_t frame[PROBE_LEN], bool *can)
{
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = frame, .data_size_in = PROBE_LEN,
                .repeat = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
    struct bpf_link *link = bpf_program__attach(probe->progs.sent);
    int error;

    if (!link) {
        return errno;
    }
    error = -bpf_prog_test_run_opts(bpf_program__fd(probe->progs.redirect),
                                    &opts);
    *can = probe->bss->n_sent > 0;
    bpf_link__destroy(link);
    return error;
}

int
netdev_try_xdp_xmit(int ifindex, bool *can)
{
    struct xmit_probe_bpf *probe;
    uint8_t frame[PROBE_LEN];
    int error = make_frame(ifindex, frame);

    *can = false;
    if (error) {
        return error;
    }
    probe = xmit_probe_bpf__open();
    if (!probe) {
        return errno;
    }
    probe->rodata->target = ifindex;
    error = -xmit_probe_bpf__load(probe);
    if (!error) {
        error = send_probe(probe, frame, can);
    }
    if (!error && !*can) {      /* Has it lost its carrier meanwhile? */
        error = make_frame(ifindex, frame);
    }
    xmit_probe_bpf__destroy(probe);
    return error;
}

/* Trying takes some milliseconds and a frame, so what has been found out is
 * remembered.  A driver stays as it is; a veth depends on its peer, so for one
 * the answer is good for a while only. */

#define GOOD_SECONDS 10
#define TIME_FOREVER ((time_t) 1 << 62)
#define N_KNOWN 16              /* There are fewer interfaces of ours. */

struct known {
    int ifindex;
    bool can;
    time_t until;
};

static time_t
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool
is_veth(int ifindex)
{
    int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
    struct ifreq ifr = { .ifr_ifindex = ifindex };
    bool known = !ioctl(sock, SIOCGIFNAME, &ifr);

    ifr.ifr_data = (void *) &info;
    known = known && !ioctl(sock, SIOCETHTOOL, &ifr);
    close(sock);
    return known && !strcmp(info.driver, "veth");
}

static int
remembered_xdp_xmit(int ifindex, bool *can)
{
    static struct known known[N_KNOWN];
    struct known *k = known;
    int error;

    for (size_t i = 0; i < N_KNOWN; i++) {
        if (known[i].ifindex == ifindex) {
            k = &known[i];
            break;
        } else if (known[i].until < k->until) {
            k = &known[i];
        }
    }
    if (k->ifindex == ifindex && now() < k->until) {
        *can = k->can;
        return 0;
    }
    error = netdev_try_xdp_xmit(ifindex, can);
    if (!error) {
        k->ifindex = ifindex;
        k->can = *can;
        k->until = is_veth(ifindex) ? now() + GOOD_SECONDS : TIME_FOREVER;
    }
    return error;
}

int
netdev_can_xdp_xmit(int ifindex, bool *can)
{
    uint64_t features = 0;
    struct netlink nl;
    int error = netlink_open(&nl, -1, NETLINK_GENERIC);

    *can = false;
    if (error) {
        return error;
    }
    error = ask_features(&nl, ifindex, &features);
    netlink_close(&nl);
    if (error == EOPNOTSUPP) {
        return remembered_xdp_xmit(ifindex, can);
    }
    *can = features & NETDEV_XDP_ACT_NDO_XMIT;
    return error;
}
