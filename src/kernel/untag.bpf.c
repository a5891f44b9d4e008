// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

/* Takes VLAN tags off, at the ingress of tc: see untag.c. */

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "kernel/untag.h"

SEC("tc")
int
tof_untag(struct __sk_buff *skb)
{
    skb->mark = (skb->vlan_present ? skb->vlan_tci | LINK_TAG_PRESENT : 0);
    bpf_skb_vlan_pop(skb);
    return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
