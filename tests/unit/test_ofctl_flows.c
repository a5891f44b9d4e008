/* SPDX-License-Identifier: GPL-3.0-or-later */

/* ofctl_flows.c alone: what is wanted, what a switch has, and what is sent of
 * the difference.  The switch is the test. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte-order.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "ovs/ofctl_flows.h"
#include "tap.h"
#include "util.h"

static struct flow_tables ft;

static struct flow_slot *flying[64];
static int n_flying;

static void
collect_cb(struct flow_slot *slot, void *aux OVS_UNUSED)
{
    flying[n_flying++] = slot;
}

/* Puts the difference in flight.  Returns the number of changes. */
static int
collect(void)
{
    n_flying = 0;
    flow_tables_collect(&ft, collect_cb, NULL);
    return n_flying;
}

static void
land(void (*how)(struct flow_tables *, struct flow_slot *))
{
    for (int i = 0; i < n_flying; i++) {
        how(&ft, flying[i]);
    }
}

/* Collects and confirms.  Returns the number of changes. */
static int
apply(void)
{
    collect();
    land(flow_slot_confirm);
    return n_flying;
}

/* Returns true if it is a change. */
static bool
set(uint64_t cookie, const char *text)
{
    bool changed = false;
    char *error = NULL;

    if (flow_tables_set(&ft, cookie, text, &changed, &error)) {
        tap_diag("%s", error);
        free(error);
    }
    return changed;
}

/* The switch's dump has this flow. */
static void
dump(uint64_t cookie, const char *text)
{
    struct ofputil_flow_stats fs = { .cookie = htonll(cookie) };
    struct ofputil_flow_mod fm;
    char *error = flow_parse(&fm, OFPFC_ADD, text);

    if (error) {
        tap_diag("%s", error);
        abort();
    }
    minimatch_expand(&fm.match, &fs.match);
    fs.table_id = fm.table_id;
    fs.priority = fm.priority;
    fs.idle_timeout = fm.idle_timeout;
    fs.hard_timeout = fm.hard_timeout;
    fs.ofpacts = fm.ofpacts;
    fs.ofpacts_len = fm.ofpacts_len;
    flow_tables_put_installed(&ft, &fs);
    minimatch_destroy(&fm.match);
    free(fm.ofpacts);
}

/* True if the only change in flight is 'text'. */
static bool
is_flying(const char *text)
{
    char *s = n_flying == 1 ? flow_slot_to_string(flying[0]) : NULL;
    bool same = s && !strcmp(s, text);

    if (!same) {
        tap_diag("%d in flight, %s", n_flying, s ? s : "");
    }
    free(s);
    return same;
}

static void
test_difference(void)
{
    tap_ok(set(1, "in_port=1,actions=2\nin_port=2,actions=1") && apply() == 2,
           "a new group is sent");
    tap_ok(!set(1, "in_port=1,actions=2\nin_port=2,actions=1")
           && apply() == 0, "the same text is no change");
    tap_ok(!set(1, "in_port=2,actions=output:1\n\nin_port=1,actions=output:2")
           && apply() == 0, "nor are other words for it");
    tap_ok(set(1, "in_port=1,actions=3\nin_port=2,actions=1")
           && collect() == 1
           && is_flying("add table=0 in_port=1 cookie=0x1 "
                        "actions=output:3"), "one flow differs: one is sent");
    land(flow_slot_confirm);
    tap_ok(set(1, "in_port=1,actions=3") && collect() == 1
           && is_flying("delete table=0 in_port=2"),
           "one is taken out: it is deleted");
    land(flow_slot_confirm);
    tap_ok(set(1, "in_port=1,actions=4") && set(1, "in_port=1,actions=3")
           && apply() == 0, "there and back: nothing");
    tap_ok(set(1, "in_port=1,actions=3\nin_port=1,actions=5")
           && collect() == 1
           && is_flying("add table=0 in_port=1 cookie=0x1 "
                        "actions=output:5"),
           "one place twice in a group: the last line counts");
    land(flow_slot_confirm);
    tap_ok(set(1, "") && apply() == 1 && hmap_is_empty(&ft.slots)
           && hmap_is_empty(&ft.groups), "cleared: nothing is kept");
}

static void
test_error(void)
{
    bool changed = true;
    char *error = NULL;

    int retval;

    set(1, "in_port=1,actions=2");
    apply();
    retval = flow_tables_set(&ft, 1, "in_port=3,actions=4\nactions=fly",
                             &changed, &error);
    tap_ok(retval == EINVAL && !changed && error, "a bad line: %s", error);
    free(error);
    tap_ok(apply() == 0 && hmap_count(&ft.slots) == 1, "nothing changed");
    set(1, "");
    apply();
}

static void
test_while_flying(void)
{
    set(1, "in_port=1,actions=2");
    collect();
    set(1, "in_port=1,actions=3");
    land(flow_slot_confirm);
    tap_ok(collect() == 1
           && is_flying("add table=0 in_port=1 cookie=0x1 "
                        "actions=output:3"),
           "changed while in flight: sent next");
    set(1, "");
    land(flow_slot_confirm);
    tap_ok(collect() == 1
           && is_flying("delete table=0 in_port=1"),
           "cleared while in flight: deleted next");
    set(1, "in_port=1,actions=3");
    land(flow_slot_confirm);
    tap_ok(apply() == 1, "set while its deletion is in flight: sent again");

    set(1, "in_port=1,actions=4");
    collect();
    land(flow_slot_abandon);
    flow_tables_forget_installed(&ft);
    flow_tables_end_dump(&ft);
    tap_ok(apply() == 1, "connection lost while in flight: sent again");
    set(1, "");
    apply();
    tap_ok(hmap_is_empty(&ft.slots), "nothing is kept");
}

static void
test_refused(void)
{
    set(1, "in_port=1,actions=2");
    apply();
    set(1, "in_port=1,actions=group:9");
    collect();
    land(flow_slot_refuse);
    tap_ok(ft.n_refused == 1 && apply() == 0, "refused: not tried again");
    set(2, "in_port=2,actions=2");
    tap_ok(flow_tables_is_refused(&ft, 1) && !flow_tables_is_refused(&ft, 2)
           && apply() == 1, "that group is, another one is not");
    flow_tables_retry(&ft, 10);
    tap_ok(collect() == 1 && flow_tables_is_refused(&ft, 1),
           "tried again, and refused until it is taken");
    land(flow_slot_refuse);
    tap_ok(flow_tables_is_refused(&ft, 1) && ft.n_refused == 1,
           "or not taken");
    flow_tables_retry(&ft, 10);
    tap_ok(apply() == 1 && !flow_tables_is_refused(&ft, 1) && !ft.n_refused,
           "taken");
    set(2, "");
    set(1, "in_port=1,actions=2");
    apply();
    set(1, "in_port=1,actions=group:9");
    collect();
    land(flow_slot_refuse);
    tap_ok(set(1, "in_port=1,actions=2") && apply() == 0 && !ft.n_refused,
           "back to what is there: nothing to send");
    set(1, "in_port=1,actions=group:9");
    collect();
    set(1, "in_port=1,actions=3");
    land(flow_slot_refuse);
    tap_ok(!ft.n_refused && apply() == 1,
           "refused when something else is wanted already");
    set(1, "in_port=1,actions=group:9");
    collect();
    land(flow_slot_refuse);
    flow_tables_forget_installed(&ft);
    flow_tables_end_dump(&ft);
    tap_ok(!ft.n_refused && collect() == 1, "a reconnect tries again");
    land(flow_slot_refuse);
    tap_ok(set(1, "") && apply() == 0 && !ft.n_refused
           && hmap_is_empty(&ft.slots), "a refused flow is just forgotten");
}

static void
test_same_place(void)
{
    set(1, "in_port=1,actions=2");
    apply();
    set(2, "in_port=1,actions=2");
    tap_ok(collect() == 1
           && is_flying("add table=0 in_port=1 cookie=0x2 "
                        "actions=output:2"), "the last group has the place");
    land(flow_slot_confirm);
    set(2, "");
    tap_ok(collect() == 1
           && is_flying("add table=0 in_port=1 cookie=0x1 "
                        "actions=output:2"), "it goes: the first has it");
    land(flow_slot_confirm);
    set(2, "in_port=1,actions=2");
    set(1, "");
    apply();
    set(2, "");
    tap_ok(apply() == 1 && hmap_is_empty(&ft.slots), "nothing is kept");
}

static void
test_dump(void)
{
    static const char *same[] = {
        "table=5,ip,nw_dst=10.1.0.0/16,actions=load:0x5->NXM_NX_REG0[],"
        "output:1",
        "ipv6,ipv6_dst=2001:db8::/64,priority=9,actions=dec_ttl,resubmit(,5)",
        "tun_id=5,tun_src=10.1.0.1,actions=set_field:0x99->tun_id,"
        "set_field:10.1.0.2->tun_src,output:4",
        "arp,actions=controller(max_len=65535)",
        "table=6,actions=drop",
    };

    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        set(i + 1, same[i]);
        dump(i + 1, same[i]);
    }
    flow_tables_end_dump(&ft);
    tap_ok(apply() == 0, "the switch has it all: nothing is sent");

    flow_tables_forget_installed(&ft);
    dump(1, same[0]);
    dump(9, same[1]);
    dump(3, "tun_id=5,tun_src=10.1.0.1,actions=output:4");
    dump(4, "arp,idle_timeout=5,actions=controller(max_len=65535)");
    dump(7, "in_port=77,actions=drop");
    flow_tables_end_dump(&ft);
    tap_ok(apply() == 5, "another cookie, another action, a time-out, one "
           "missing, a stray: five changes");
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        set(i + 1, "");
    }
    tap_ok(apply() == 5 && hmap_is_empty(&ft.slots), "nothing is kept");
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    flow_tables_init(&ft);
    test_difference();
    test_error();
    test_while_flying();
    test_refused();
    test_same_place();
    test_dump();
    set(1, "in_port=1,actions=2");
    collect();
    land(flow_slot_abandon);
    flow_tables_destroy(&ft);
    return tap_done();
}
