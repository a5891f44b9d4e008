/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Takes VLAN tags off.
 *
 * Place in the flow: filter/nfq.c has this done where copied and held packets
 * come in.  The kernel's IP stack takes no packet with a VLAN tag of which it
 * does not know the VLAN; nftables can look at a tag but not take it off.
 * What can is a little program (untag.bpf.c) at the ingress of tc. */

#define _GNU_SOURCE 1

#include "kernel/untag.h"

#include <errno.h>
#include <string.h>
#include <net/if.h>

#include <bpf/libbpf.h>

#include "kernel/netns.h"
#include "kernel/untag.skel.h"

/* A tofd that was here before has left its program in the same place. */
static int
attach(int ifindex, int program)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
                .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = 1,
                .priority = 1, .flags = BPF_TC_F_REPLACE);
    int error = -bpf_tc_hook_create(&hook);

    return error && error != EEXIST ? error : -bpf_tc_attach(&hook, &opts);
}

/* In the link's namespace. */
static int
untag(void *link)
{
    int ifindex = if_nametoindex(link);
    struct untag_bpf *skel;
    int error;

    if (!ifindex) {
        return errno;
    }
    skel = untag_bpf__open_and_load();
    if (!skel) {
        return errno;
    }
    error = attach(ifindex, bpf_program__fd(skel->progs.tof_untag));
    untag_bpf__destroy(skel);
    return error;
}

int
link_untag(int netns_fd, const char *link)
{
    libbpf_print_fn_t print = libbpf_set_print(NULL);
    char name[IF_NAMESIZE] = "";
    int error;

    strncpy(name, link, sizeof name - 1);
    error = netns_call(netns_fd, untag, name);
    libbpf_set_print(print);
    return error;
}
