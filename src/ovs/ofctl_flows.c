/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Flow tables in two versions: what is wanted, and what the switch has.
 *
 * Place in the flow: ofctl.c calls flow_tables_set() for its owner's groups
 * and flow_tables_put_installed() for each flow of the switch's dump;
 * flow_tables_collect() gives it the slots where the two differ, and it tells
 * the outcome of each with flow_slot_confirm() or flow_slot_refuse(). */

#include "ovs/ofctl_flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte-order.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

/* All flows with one cookie. */
struct flow_group {
    struct hmap_node hmap_node; /* In flow_tables->groups. */
    uint64_t cookie;
    ovs_u128 text_hash;         /* To see at once that nothing changed. */
    struct ovs_list wants;      /* Of struct flow_want, by group_node. */
};

/* A group wants a version in a slot. */
struct flow_want {
    struct ovs_list group_node; /* In flow_group->wants. */
    struct ovs_list slot_node;  /* In flow_slot->wants. */
    struct flow_group *group;
    struct flow_slot *slot;
    struct flow_version *version;
    bool keep;                  /* During flow_tables_set(). */
};

/* A line of a group's text, parsed. */
struct parsed_flow {
    struct minimatch match;
    uint16_t priority;
    uint8_t table_id;
    struct flow_version *version;
};

/* Slots. */

static uint32_t
slot_hash(const struct minimatch *match, uint16_t priority, uint8_t table_id)
{
    return minimatch_hash(match, hash_2words(priority, table_id));
}

/* Finds the slot, or makes it, taking over '*match' or destroying it. */
static struct flow_slot *
slot_get(struct flow_tables *ft, struct minimatch *match, uint16_t priority,
         uint8_t table_id)
{
    uint32_t hash = slot_hash(match, priority, table_id);
    struct flow_slot *slot;

    HMAP_FOR_EACH_WITH_HASH (slot, hmap_node, hash, &ft->slots) {
        if (slot->priority == priority && slot->table_id == table_id
            && minimatch_equal(&slot->match, match)) {
            minimatch_destroy(match);
            return slot;
        }
    }

    slot = xzalloc(sizeof *slot);
    ovs_list_init(&slot->wants);
    minimatch_move(&slot->match, match);
    slot->priority = priority;
    slot->table_id = table_id;
    hmap_insert(&ft->slots, &slot->hmap_node, hash);
    return slot;
}

static void
slot_set_refused(struct flow_tables *ft, struct flow_slot *slot, bool refused)
{
    if (slot->refused) {
        ovs_list_remove(&slot->refused_node);
        ft->n_refused--;
    }
    slot->refused = refused;
    if (refused) {
        ovs_list_push_back(&ft->refused, &slot->refused_node);
        ft->n_refused++;
    }
}

static void
slot_destroy(struct flow_tables *ft, struct flow_slot *slot)
{
    if (slot->dirty) {
        ovs_list_remove(&slot->dirty_node);
    }
    slot_set_refused(ft, slot, false);
    hmap_remove(&ft->slots, &slot->hmap_node);
    minimatch_destroy(&slot->match);
    version_unref(slot->installed);
    version_unref(slot->sent);
    free(slot);
}

static struct flow_version *
slot_wanted(const struct flow_slot *slot)
{
    return (ovs_list_is_empty(&slot->wants) ? NULL
            : CONTAINER_OF(ovs_list_front(&slot->wants), struct flow_want,
                           slot_node)->version);
}

/* Destroys 'slot' if nothing needs it any more. */
static void
slot_release(struct flow_tables *ft, struct flow_slot *slot)
{
    if (!slot->dirty && !slot->in_flight && !slot->installed
        && ovs_list_is_empty(&slot->wants)) {
        slot_destroy(ft, slot);
    }
}

static void
slot_put_dirty(struct flow_tables *ft, struct flow_slot *slot)
{
    if (!slot->dirty) {
        slot->dirty = true;
        ovs_list_push_back(&ft->dirty, &slot->dirty_node);
    }
}

/* Something else is wanted, or installed. */
static void
slot_set_dirty(struct flow_tables *ft, struct flow_slot *slot)
{
    slot_set_refused(ft, slot, false);
    slot_put_dirty(ft, slot);
}

struct ofpbuf *
flow_slot_encode(const struct flow_slot *slot, enum ofputil_protocol protocol)
{
    const struct flow_version *v = slot->sent;
    struct ofputil_flow_mod fm = {
        .match = slot->match,
        .priority = slot->priority,
        .table_id = slot->table_id,
        .command = v ? OFPFC_ADD : OFPFC_DELETE_STRICT,
        .new_cookie = v ? v->cookie : OVS_BE64_MAX,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    if (v) {
        fm.idle_timeout = v->idle_timeout;
        fm.hard_timeout = v->hard_timeout;
        fm.importance = v->importance;
        fm.flags = v->flags;
        fm.ofpacts = CONST_CAST(struct ofpact *, version_ofpacts(v));
        fm.ofpacts_len = v->ofpacts_len;
    }
    return ofputil_encode_flow_mod(&fm, protocol);
}

static void
slot_landed(struct flow_tables *ft, struct flow_slot *slot)
{
    slot->sent = NULL;
    slot->in_flight = false;
    slot_release(ft, slot);
}

void
flow_slot_confirm(struct flow_tables *ft, struct flow_slot *slot)
{
    version_unref(slot->installed);
    slot->installed = slot->sent;
    slot_set_refused(ft, slot, false);
    slot_landed(ft, slot);
}

void
flow_slot_refuse(struct flow_tables *ft, struct flow_slot *slot)
{
    /* If something else is wanted by now, that has its own chance. */
    if (!slot->dirty) {
        slot_set_refused(ft, slot, true);
    }
    flow_slot_abandon(ft, slot);
}

void
flow_slot_abandon(struct flow_tables *ft, struct flow_slot *slot)
{
    version_unref(slot->sent);
    slot_landed(ft, slot);
}

char *
flow_slot_to_string(const struct flow_slot *slot)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "%s table=%"PRIu8" ", slot->sent ? "add" : "delete",
                  slot->table_id);
    minimatch_format(&slot->match, NULL, NULL, &s, slot->priority);
    if (slot->sent) {
        struct ofpact_format_params fp = { .s = &s };

        ds_put_format(&s, " cookie=0x%"PRIx64" actions=",
                      ntohll(slot->sent->cookie));
        ofpacts_format(version_ofpacts(slot->sent), slot->sent->ofpacts_len,
                       &fp);
    }
    return ds_steal_cstr(&s);
}

/* Parsing. */

static void
parsed_flows_destroy(struct parsed_flow *flows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        minimatch_destroy(&flows[i].match);
        version_unref(flows[i].version);
    }
    free(flows);
}

/* Parses 'text', one flow a line, into a malloc'd array.  Returns NULL if
 * successful, otherwise a malloc'd error. */
static char *
parse_lines(const char *text, ovs_be64 cookie, struct parsed_flow **flowsp,
            size_t *np)
{
    struct parsed_flow *flows = NULL;
    size_t n = 0, allocated = 0;
    char *copy = xstrdup(text);
    char *save = NULL;
    char *error = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line && !error;
         line = strtok_r(NULL, "\n", &save)) {
        struct ofputil_flow_mod fm;
        char *why;

        if (!line[strspn(line, " \t\r")]) {
            continue;
        }
        why = flow_parse(&fm, OFPFC_ADD, line);
        if (why) {
            error = xasprintf("%s: %s", line, why);
            free(why);
            continue;
        }
        if (n >= allocated) {
            flows = x2nrealloc(flows, &allocated, sizeof *flows);
        }
        minimatch_move(&flows[n].match, &fm.match);
        flows[n].priority = fm.priority;
        flows[n].table_id = fm.table_id;
        flows[n].version = version_create(cookie, fm.idle_timeout,
                                          fm.hard_timeout, fm.importance,
                                          fm.flags, fm.ofpacts,
                                          fm.ofpacts_len);
        free(fm.ofpacts);
        n++;
    }
    free(copy);

    if (error) {
        parsed_flows_destroy(flows, n);
    } else {
        *flowsp = flows;
        *np = n;
    }
    return error;
}

/* Groups. */

static struct flow_group *
group_find(const struct flow_tables *ft, uint64_t cookie)
{
    struct flow_group *group;

    HMAP_FOR_EACH_WITH_HASH (group, hmap_node, hash_uint64(cookie),
                             &ft->groups) {
        if (group->cookie == cookie) {
            return group;
        }
    }
    return NULL;
}

static void
want_destroy(struct flow_tables *ft, struct flow_want *want)
{
    struct flow_slot *slot = want->slot;

    ovs_list_remove(&want->group_node);
    ovs_list_remove(&want->slot_node);
    version_unref(want->version);
    free(want);
    slot_set_dirty(ft, slot);
}

/* Makes 'group' want 'flow', which it takes over.  Returns true if that is a
 * change. */
static bool
group_want(struct flow_tables *ft, struct flow_group *group,
           struct parsed_flow *flow)
{
    struct flow_slot *slot = slot_get(ft, &flow->match, flow->priority,
                                      flow->table_id);
    struct flow_want *want;

    LIST_FOR_EACH (want, slot_node, &slot->wants) {
        if (want->group == group) {
            want->keep = true;
            if (version_equal(want->version, flow->version)) {
                version_unref(flow->version);
                return false;
            }
            version_unref(want->version);
            want->version = flow->version;
            ovs_list_remove(&want->slot_node);
            ovs_list_push_front(&slot->wants, &want->slot_node);
            slot_set_dirty(ft, slot);
            return true;
        }
    }

    want = xmalloc(sizeof *want);
    want->group = group;
    want->slot = slot;
    want->version = flow->version;
    want->keep = true;
    ovs_list_push_back(&group->wants, &want->group_node);
    ovs_list_push_front(&slot->wants, &want->slot_node);
    slot_set_dirty(ft, slot);
    return true;
}

/* Removes what 'group' does not want any more, and an empty group itself.
 * Returns true if that is a change. */
static bool
group_sweep(struct flow_tables *ft, struct flow_group *group)
{
    struct flow_want *want, *next;
    bool changed = false;

    LIST_FOR_EACH_SAFE (want, next, group_node, &group->wants) {
        if (!want->keep) {
            want_destroy(ft, want);
            changed = true;
        }
    }
    if (ovs_list_is_empty(&group->wants)) {
        hmap_remove(&ft->groups, &group->hmap_node);
        free(group);
    }
    return changed;
}

int
flow_tables_set(struct flow_tables *ft, uint64_t cookie, const char *text,
                bool *changed, char **error)
{
    struct flow_group *group = group_find(ft, cookie);
    struct parsed_flow *flows = NULL;
    struct flow_want *want;
    ovs_u128 text_hash;
    size_t n = 0;

    *changed = false;
    hash_bytes128(text, strlen(text), 0, &text_hash);
    if (group && ovs_u128_equals(group->text_hash, text_hash)) {
        return 0;
    }
    *error = parse_lines(text, htonll(cookie), &flows, &n);
    if (*error) {
        return EINVAL;
    }

    if (!group) {
        if (!n) {
            return 0;
        }
        group = xzalloc(sizeof *group);
        group->cookie = cookie;
        ovs_list_init(&group->wants);
        hmap_insert(&ft->groups, &group->hmap_node, hash_uint64(cookie));
    }
    group->text_hash = text_hash;
    LIST_FOR_EACH (want, group_node, &group->wants) {
        want->keep = false;
    }
    for (size_t i = 0; i < n; i++) {
        *changed |= group_want(ft, group, &flows[i]);
    }
    free(flows);
    *changed |= group_sweep(ft, group);
    return 0;
}

bool
flow_tables_is_refused(const struct flow_tables *ft, uint64_t cookie)
{
    const struct flow_group *group;
    const struct flow_want *want;

    group = ft->n_refused ? group_find(ft, cookie) : NULL;
    if (group) {
        LIST_FOR_EACH (want, group_node, &group->wants) {
            if (want->slot->refused) {
                return true;
            }
        }
    }
    return false;
}

void
flow_tables_retry(struct flow_tables *ft, size_t n)
{
    struct flow_slot *slot;

    LIST_FOR_EACH (slot, refused_node, &ft->refused) {
        if (!n--) {
            break;
        }
        slot_put_dirty(ft, slot);
    }
}

/* Tables. */

void
flow_tables_init(struct flow_tables *ft)
{
    hmap_init(&ft->slots);
    hmap_init(&ft->groups);
    ovs_list_init(&ft->dirty);
    ovs_list_init(&ft->refused);
    ft->n_refused = 0;
}

void
flow_tables_destroy(struct flow_tables *ft)
{
    struct flow_group *group, *next_group;
    struct flow_slot *slot, *next_slot;
    struct flow_want *want;

    HMAP_FOR_EACH_SAFE (group, next_group, hmap_node, &ft->groups) {
        LIST_FOR_EACH (want, group_node, &group->wants) {
            want->keep = false;
        }
        group_sweep(ft, group);
    }
    HMAP_FOR_EACH_SAFE (slot, next_slot, hmap_node, &ft->slots) {
        slot_destroy(ft, slot);
    }
    hmap_destroy(&ft->groups);
    hmap_destroy(&ft->slots);
}

void
flow_tables_forget_installed(struct flow_tables *ft)
{
    struct flow_slot *slot, *next;

    LIST_FOR_EACH_POP (slot, dirty_node, &ft->dirty) {
        slot->dirty = false;
    }
    HMAP_FOR_EACH_SAFE (slot, next, hmap_node, &ft->slots) {
        version_unref(slot->installed);
        slot->installed = NULL;
        slot_release(ft, slot);
    }
}

void
flow_tables_put_installed(struct flow_tables *ft,
                          const struct ofputil_flow_stats *fs)
{
    struct flow_slot *slot;
    struct minimatch match;

    minimatch_init(&match, &fs->match);
    slot = slot_get(ft, &match, fs->priority, fs->table_id);
    version_unref(slot->installed);
    slot->installed = version_create(fs->cookie, fs->idle_timeout,
                                     fs->hard_timeout, fs->importance,
                                     fs->flags, fs->ofpacts, fs->ofpacts_len);
    if (!version_equal(slot_wanted(slot), slot->installed)) {
        slot_set_dirty(ft, slot);
    }
}

void
flow_tables_end_dump(struct flow_tables *ft)
{
    struct flow_slot *slot;

    HMAP_FOR_EACH (slot, hmap_node, &ft->slots) {
        if (!slot->installed) {
            slot_set_dirty(ft, slot);
        }
    }
}

void
flow_tables_collect(struct flow_tables *ft,
                    void (*cb)(struct flow_slot *, void *aux), void *aux)
{
    struct flow_slot *slot;

    LIST_FOR_EACH_POP (slot, dirty_node, &ft->dirty) {
        struct flow_version *wanted = slot_wanted(slot);

        slot->dirty = false;
        if (version_equal(wanted, slot->installed)) {
            slot_release(ft, slot);
            continue;
        }
        slot->sent = version_ref(wanted);
        slot->in_flight = true;
        cb(slot, aux);
    }
}
