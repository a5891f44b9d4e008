/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Does an interface send what XDP redirects to it?  Kernels before 6.3 do not
 * tell, so netdev.c tries: it runs redirect() on one frame, and sent() sees
 * what became of it.
 *
 * Both run in one go on one processor, with softirqs off.  So what other
 * programs redirect meanwhile, they redirect on other processors. */

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 target;            /* Interface. */
__u32 under_way;                        /* Processor + 1; 0: nothing is. */
__s32 n_sent;                           /* Frames that it has taken. */

SEC("xdp")
int
redirect(struct xdp_md *ctx __attribute__((unused)))
{
    under_way = bpf_get_smp_processor_id() + 1;
    return bpf_redirect(target, 0);
}

/* xdp_devmap_xmit(from, to, sent, drops, err): absent if the driver cannot
 * send at all. */
SEC("raw_tp/xdp_devmap_xmit")
int
sent(struct bpf_raw_tracepoint_args *ctx)
{
    if (under_way == bpf_get_smp_processor_id() + 1) {
        under_way = 0;
        n_sent += (__s32) ctx->args[2];
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
