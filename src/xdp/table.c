/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tables that eBPF programs read while we write: see table.h.
 *
 * Sessions: an entry is taken out of sight (kind 0), changed, and shown again
 * with another version.  A reader that has looked at 'meta' before and after
 * what it needed, and found it the same, has seen one state.  Single words
 * (stamps) are changed in place.
 *
 * Templates: the version is odd while they are changed; table_path.c. */

#include "xdp/table.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "xdp/table_path.h"

#define STORE(X, VALUE) __atomic_store_n(&(X), VALUE, __ATOMIC_RELEASE)
#define LOAD(X) __atomic_load_n(&(X), __ATOMIC_ACQUIRE)

uint32_t
xdp_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return ((ts.tv_sec * 1000000000ull + ts.tv_nsec) >> XDP_TICK_SHIFT
            & XDP_TICK_MASK);
}

uint32_t
xdp_ticks(unsigned int seconds)
{
    return seconds * 1000000000ull >> XDP_TICK_SHIFT;
}

static bool
is_inner6(const struct in6_addr *ue)
{
    return !IN6_IS_ADDR_V4MAPPED(ue);
}

uint64_t
xdp_ue_key(const struct in6_addr *ue)
{
    uint64_t key = 0;

    if (is_inner6(ue)) {
        memcpy(&key, ue, sizeof key);
    } else {
        memcpy(&key, &ue->s6_addr[12], 4);
    }
    return key;
}

/* Torn, it is nobody's address for a moment, and all is passed. */
void
xdp_table_set_mac(struct xdp_table *t, const uint8_t mac[6])
{
    memcpy(t->config->mac, mac, sizeof t->config->mac);
}

/* --- Sessions. --- */

struct key {                    /* What a tunnel is known by. */
    const struct in6_addr *dst;
    uint64_t tag;               /* Of 'dst'. */
    uint32_t teid;
    uint32_t kind;
};

static uint64_t
tag(const struct xdp_table *t, const struct in6_addr *in6)
{
    __u64 addr[2];

    xdp_addr(addr, in6);
    return xdp_tag(addr, t->config->seed);
}

static struct key
make_key(const struct xdp_table *t, const struct tunnel *tunnel,
         enum xdp_direction direction, bool inner6)
{
    return (struct key) {
        .dst = &tunnel->dst, .tag = tag(t, &tunnel->dst),
        .teid = htonl(tunnel->teid),
        .kind = (XDP_KIND_USED | (direction == XDP_DOWN ? XDP_KIND_DOWN : 0)
                 | (inner6 ? XDP_KIND_INNER6 : 0)),
    };
}

struct xdp_entry *
xdp_table_entry(const struct xdp_table *t, uint32_t place)
{
    return &t->buckets[place / XDP_BUCKET].e[place % XDP_BUCKET];
}

/* The addresses of a bearer's tunnel: of its path, or the other way round. */
static const __u64 *
receiver(const struct xdp_table *t, uint32_t meta)
{
    const struct xdp_path *path = &t->paths[XDP_META_PATH(meta) % XDP_PATHS];

    return XDP_META_KIND(meta) & XDP_KIND_DOWN ? path->dst : path->src;
}

static const __u64 *
sender(const struct xdp_table *t, uint32_t meta)
{
    const struct xdp_path *path = &t->paths[XDP_META_PATH(meta) % XDP_PATHS];

    return XDP_META_KIND(meta) & XDP_KIND_DOWN ? path->src : path->dst;
}

static bool
entry_is(const struct xdp_table *t, const struct xdp_entry *e,
         const struct key *key)
{
    return (XDP_META_KIND(e->meta) == key->kind && e->teid == key->teid
            && (!e->bearer ? e->dst == key->tag
                : !memcmp(receiver(t, e->meta), key->dst, sizeof *key->dst)));
}

static bool
has_sender(const struct xdp_table *t, const struct xdp_entry *e,
           const struct in6_addr *src)
{
    return (!e->bearer ? e->src == tag(t, src)
            : !memcmp(sender(t, e->meta), src, sizeof *src));
}

/* The i'th place, of 2 * XDP_BUCKET, at which 'key' may be. */
static uint32_t
place_of(const struct xdp_place *p, unsigned int i)
{
    return (p->bucket[i / XDP_BUCKET] * XDP_BUCKET
            + ((p->start ^ i) & (XDP_BUCKET - 1)));
}

static struct xdp_place
hash_key(const struct xdp_table *t, const struct key *key)
{
    return xdp_hash(key->tag, key->teid, key->kind, t->config->n_buckets);
}

static uint32_t
find(const struct xdp_table *t, const struct key *key)
{
    struct xdp_place p = hash_key(t, key);

    for (unsigned int i = 0; i < 2 * XDP_BUCKET; i++) {
        uint32_t place = place_of(&p, i);
        if (entry_is(t, xdp_table_entry(t, place), key)) {
            return place;
        }
    }
    return XDP_NOWHERE;
}

/* A place for 'key', which is in the table nowhere: a free one, or one that
 * only switches and whose time has passed; if 'push', whichever only switches
 * and ends first. */
static uint32_t
find_room(const struct xdp_table *t, const struct key *key, bool push)
{
    struct xdp_place p = hash_key(t, key);
    uint32_t now = xdp_now(), best = XDP_NOWHERE;
    int32_t best_left = INT32_MAX;

    for (unsigned int i = 0; i < 2 * XDP_BUCKET; i++) {
        uint32_t place = place_of(&p, i);
        const struct xdp_entry *e = xdp_table_entry(t, place);
        int32_t left = e->stamp - now;

        if (!XDP_META_KIND(e->meta) || (!e->bearer && left <= 0)) {
            return place;
        } else if (push && !e->bearer && left < best_left) {
            best = place;
            best_left = left;
        }
    }
    return best;
}

static uint32_t
find_or_make_room(const struct xdp_table *t, const struct key *key, bool push)
{
    uint32_t place = find(t, key);

    return place != XDP_NOWHERE ? place : find_room(t, key, push);
}

/* 'new' becomes what '*e' is; kind and path in its 'meta'. */
static void
write_entry(struct xdp_entry *e, struct xdp_entry new)
{
    uint32_t version = (e->meta + XDP_META_VERSION_ONE) & XDP_META_VERSION;

    STORE(e->meta, version);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (new.bearer && e->bearer == new.bearer) {
        new.count = e->count;
    }
    new.meta |= version;
    e->teid = new.teid;
    e->bearer = new.bearer;
    e->stamp = new.stamp;
    e->ue = new.ue;
    e->count = new.count;
    STORE(e->meta, new.meta);
}

bool
xdp_table_learn(struct xdp_table *t, const struct tunnel *tunnel,
                enum xdp_direction direction, bool inner6, uint64_t ue,
                uint32_t until)
{
    struct key key = make_key(t, tunnel, direction, inner6);
    uint32_t place = find_or_make_room(t, &key, false);

    if (place == XDP_NOWHERE) {
        return false;
    }
    struct xdp_entry *e = xdp_table_entry(t, place);
    if (entry_is(t, e, &key) && e->bearer && has_sender(t, e, &tunnel->src)) {
        if (direction == XDP_UP) {
            return true;
        } else if (e->ue == ue) {
            STORE(e->stamp, until);
            return true;
        }
    }
    write_entry(e, (struct xdp_entry) {
        .teid = key.teid, .meta = key.kind, .stamp = until, .dst = key.tag,
        .src = tag(t, &tunnel->src),
    });
    return true;
}

/* The path that a tunnel of 'b' is known by; 0 if there is no room. */
static uint32_t
get_path(struct xdp_table *t, const struct endpoint_bearer *b,
         enum xdp_direction direction)
{
    return (direction == XDP_DOWN
            ? xdp_table_path_get(t, &b->down.src, &b->down.dst, 0)
            : xdp_table_path_get(t, &b->up.dst, &b->up.src, b->space));
}

/* Puts a tunnel of 'b' in, or leaves it if it is there already but for its
 * stamp ('stamp' 0: that too). */
static uint32_t
put(struct xdp_table *t, const struct endpoint_bearer *b,
    const struct tunnel *tunnel, enum xdp_direction direction, uint32_t stamp)
{
    struct key key = make_key(t, tunnel, direction, is_inner6(&b->ue));
    uint32_t path = get_path(t, b, direction);
    uint32_t place = path ? find_or_make_room(t, &key, true) : XDP_NOWHERE;
    uint64_t ue = xdp_ue_key(&b->ue);

    if (place == XDP_NOWHERE) {
        return XDP_NOWHERE;
    }
    struct xdp_entry *e = xdp_table_entry(t, place);
    if (!entry_is(t, e, &key) || e->bearer != b->id || e->ue != ue
        || XDP_META_PATH(e->meta) != path || !has_sender(t, e, &tunnel->src)) {
        write_entry(e, (struct xdp_entry) {
            .teid = key.teid, .meta = key.kind | path << 16, .bearer = b->id,
            .stamp = stamp, .ue = ue,
        });
    } else if (stamp) {
        STORE(e->stamp, stamp);
    }
    return place;
}

uint32_t
xdp_table_divert(struct xdp_table *t, const struct endpoint_bearer *b,
                 uint32_t seen)
{
    return put(t, b, &b->up, XDP_UP, seen);
}

uint32_t
xdp_table_bind(struct xdp_table *t, const struct endpoint_bearer *b)
{
    return put(t, b, &b->down, XDP_DOWN, 0);
}

void
xdp_table_release(struct xdp_table *t, uint32_t place, uint32_t id)
{
    if (place != XDP_NOWHERE) {
        struct xdp_entry *e = xdp_table_entry(t, place);
        if (XDP_META_KIND(e->meta) && e->bearer == id) {
            STORE(e->meta, ((e->meta + XDP_META_VERSION_ONE)
                            & XDP_META_VERSION));
        }
    }
}

uint32_t
xdp_table_seen(struct xdp_table *t, uint32_t place, bool *forwarded)
{
    uint32_t stamp = __atomic_fetch_and(&xdp_table_entry(t, place)->stamp,
                                        XDP_TICK_MASK, __ATOMIC_ACQ_REL);

    *forwarded = stamp & XDP_STAMP_FORWARDED;
    return stamp & XDP_TICK_MASK;
}

bool
xdp_table_diverts(const struct xdp_table *t, const struct endpoint_bearer *b)
{
    const struct key key = make_key(t, &b->up, XDP_UP, is_inner6(&b->ue));
    const uint32_t place = find(t, &key);

    return (place != XDP_NOWHERE
            && xdp_table_entry(t, place)->bearer == b->id);
}

void
xdp_table_unlearn(struct xdp_table *t, const struct endpoint_bearer *b)
{
    const bool inner6 = is_inner6(&b->ue);
    const struct key keys[] = { make_key(t, &b->up, XDP_UP, inner6),
                                make_key(t, &b->down, XDP_DOWN, inner6) };

    for (int i = 0; i < 2; i++) {
        xdp_table_release(t, find(t, &keys[i]), 0);
    }
}

static void
describe(const struct xdp_table *t, const struct xdp_entry *e,
         struct endpoint_bearer *b)
{
    uint32_t slot = e->bearer >> 8;

    *b = (struct endpoint_bearer) {
        .id = e->bearer,
        .space = t->paths[XDP_META_PATH(e->meta) % XDP_PATHS].space,
    };
    memcpy(&b->up.src, sender(t, e->meta), sizeof b->up.src);
    memcpy(&b->up.dst, receiver(t, e->meta), sizeof b->up.dst);
    b->up.teid = ntohl(e->teid);
    if (XDP_META_KIND(e->meta) & XDP_KIND_INNER6) {
        memcpy(&b->ue, &e->ue, sizeof e->ue);
    } else {
        b->ue.s6_addr[10] = b->ue.s6_addr[11] = 0xff;
        memcpy(&b->ue.s6_addr[12], &e->ue, 4);
    }
    if (slot < t->config->n_templates && t->templates[slot].id == b->id) {
        const struct xdp_template *template = &t->templates[slot];
        const struct xdp_path *path = &t->paths[template->path % XDP_PATHS];

        b->down.teid = ntohl(template->teid);
        b->down_qfi = template->qfi;
        memcpy(&b->down.src, path->src, sizeof b->down.src);
        memcpy(&b->down.dst, path->dst, sizeof b->down.dst);
    }
}

void
xdp_table_dump(const struct xdp_table *t,
               void (*cb)(const struct endpoint_bearer *, uint32_t place,
                          void *aux), void *aux)
{
    for (uint32_t i = 0; i < t->config->n_buckets * XDP_BUCKET; i++) {
        const struct xdp_entry *e = xdp_table_entry(t, i);
        if (XDP_META_KIND(e->meta) && e->bearer
            && !(XDP_META_KIND(e->meta) & XDP_KIND_DOWN)) {
            struct endpoint_bearer b;
            describe(t, e, &b);
            cb(&b, i, aux);
        }
    }
}

/* --- Templates. --- */

static bool
template_is(const struct xdp_template *template,
            const struct xdp_template *wanted)
{
    return (template->id == wanted->id && template->ue == wanted->ue
            && template->entry == wanted->entry
            && template->path == wanted->path
            && template->teid == wanted->teid
            && template->inner6 == wanted->inner6
            && template->tos == wanted->tos
            && template->qfi == wanted->qfi);
}

uint64_t
xdp_template_count(const struct xdp_template *template)
{
    return LOAD(template->own) + LOAD(template->any) - template->base;
}

/* All but what programs count in, and the id if it 'stays' what it is. */
static void
write_template(struct xdp_template *template,
               const struct xdp_template *wanted, bool stays)
{
    uint32_t version = template->version | 1;

    STORE(template->version, version);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!stays) {
        if (template->id != wanted->id) {
            template->base += xdp_template_count(template);
        }
        template->id = wanted->id;
    }
    template->ue = wanted->ue;
    template->seen = wanted->seen;
    template->entry = wanted->entry;
    template->path = wanted->path;
    template->teid = wanted->teid;
    template->inner6 = wanted->inner6;
    template->tos = wanted->tos;
    template->qfi = wanted->qfi;
    STORE(template->version, version + 1);
}

static struct xdp_template *
set_template(struct xdp_table *t, const struct endpoint_bearer *b,
             uint32_t path, uint32_t place, uint8_t tos, uint32_t seen,
             bool stays)
{
    uint32_t slot = b->id >> 8;
    struct xdp_template wanted = {
        .id = b->id, .ue = xdp_ue_key(&b->ue), .entry = place, .path = path,
        .teid = htonl(b->down.teid), .inner6 = is_inner6(&b->ue), .tos = tos,
        .qfi = b->down_qfi, .seen = seen,
    };

    if (slot >= t->config->n_templates) {
        return NULL;
    }
    struct xdp_template *template = &t->templates[slot];
    if (template_is(template, &wanted)) {
        if (seen) {
            STORE(template->seen, seen);
        }
        return template;
    }
    if (!seen) {
        wanted.seen = xdp_now() - t->config->evidence;  /* Ask the entry. */
    }
    write_template(template, &wanted, stays);
    return template;
}

struct xdp_template *
xdp_table_template_set(struct xdp_table *t, const struct endpoint_bearer *b,
                       uint32_t path, uint32_t place, uint8_t tos,
                       uint32_t seen)
{
    return set_template(t, b, path, place, tos, seen, false);
}

struct xdp_template *
xdp_table_template_change(struct xdp_table *t, const struct endpoint_bearer *b,
                          uint32_t path, uint32_t place, uint8_t tos,
                          uint32_t seen)
{
    return set_template(t, b, path, place, tos, seen, true);
}

bool
xdp_table_template_clear(struct xdp_table *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    return (slot < t->config->n_templates
            && __atomic_compare_exchange_n(&t->templates[slot].id, &id, 0,
                                           false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST));
}

/* --- Counters. --- */

void
xdp_count_read(uint64_t now, uint64_t *last, uint64_t *packets,
               uint64_t *bytes)
{
    uint64_t delta = now - *last;

    *packets += delta >> XDP_COUNT_SHIFT;
    *bytes += delta & ((1ull << XDP_COUNT_SHIFT) - 1);
    *last = now;
}
