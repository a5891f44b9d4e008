/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Takes VLAN tags off.
 *
 * Place in the flow: filter/nfq.c has this done where copied and held packets
 * come in.  The kernel's IP stack takes no packet with a VLAN tag of which it
 * does not know the VLAN; nftables can look at a tag but not take it off.
 * What can is a little BPF at the ingress of tc. */

#define _GNU_SOURCE 1

#include "kernel/untag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#include "kernel/netlink.h"
#include "kernel/netns.h"

#define NAME "tof_untag"
#define PRIORITY 1
#define HANDLE 1

static int
load_program(int *fd)
{
    const struct bpf_insn program[] = {
        /* The packet is in r1.  mark = tag ? tag | LINK_TAG_PRESENT : 0 */
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2,
          .imm = 0 },
        { .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_3,
          .src_reg = BPF_REG_1,
          .off = offsetof(struct __sk_buff, vlan_present) },
        { .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_3, .off = 2 },
        { .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2,
          .src_reg = BPF_REG_1,
          .off = offsetof(struct __sk_buff, vlan_tci) },
        { .code = BPF_ALU64 | BPF_OR | BPF_K, .dst_reg = BPF_REG_2,
          .imm = LINK_TAG_PRESENT },
        { .code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1,
          .src_reg = BPF_REG_2, .off = offsetof(struct __sk_buff, mark) },
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_pop },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0,
          .imm = TC_ACT_OK },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
    attr.insn_cnt = sizeof program / sizeof *program;
    attr.insns = (uintptr_t) program;
    attr.license = (uintptr_t) "GPL";
    memcpy(attr.prog_name, NAME, sizeof NAME);
    *fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    return *fd < 0 ? errno : 0;
}

/* A request about what is at the ingress of the link. */
static struct nlmsghdr *
start(char *buf, int type, uint16_t flags, int ifindex, uint32_t parent,
      const char *kind)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct tcmsg *tcm;

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_CREATE | flags;
    tcm = mnl_nlmsg_put_extra_header(nlh, sizeof *tcm);
    tcm->tcm_family = AF_UNSPEC;
    tcm->tcm_ifindex = ifindex;
    tcm->tcm_parent = parent;
    mnl_attr_put_strz(nlh, TCA_KIND, kind);
    return nlh;
}

static int
attach(struct netlink *nl, int ifindex, int program)
{
    char buf[1024];
    struct nlmsghdr *nlh;
    struct nlattr *options;
    struct tcmsg *tcm;
    int error;

    nlh = start(buf, RTM_NEWQDISC, NLM_F_EXCL, ifindex, TC_H_CLSACT, "clsact");
    tcm = mnl_nlmsg_get_payload(nlh);
    tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    error = netlink_talk(nl, nlh, NULL, NULL);
    if (error && error != EEXIST) {
        return error;
    }
    nlh = start(buf, RTM_NEWTFILTER, NLM_F_REPLACE, ifindex,
                TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "bpf");
    tcm = mnl_nlmsg_get_payload(nlh);
    tcm->tcm_handle = HANDLE;
    tcm->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
    options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
    mnl_attr_put_u32(nlh, TCA_BPF_FD, program);
    mnl_attr_put_strz(nlh, TCA_BPF_NAME, NAME);
    mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(nlh, options);
    return netlink_talk(nl, nlh, NULL, NULL);
}

/* In the link's namespace. */
static int
untag(void *link)
{
    struct netlink nl;
    int program, error, ifindex = if_nametoindex(link);

    if (!ifindex) {
        return errno;
    }
    error = load_program(&program);
    if (error) {
        return error;
    }
    error = netlink_open(&nl, -1, NETLINK_ROUTE);
    if (!error) {
        error = attach(&nl, ifindex, program);
        netlink_close(&nl);
    }
    close(program);
    return error;
}

int
link_untag(int netns_fd, const char *link)
{
    char name[IF_NAMESIZE] = "";

    strncpy(name, link, sizeof name - 1);
    return netns_call(netns_fd, untag, name);
}
