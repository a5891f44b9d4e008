/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tables that eBPF programs read while we write: see xdp_table.h.
 *
 * Sessions: an entry is taken out of sight (kind 0), changed, and shown again
 * with another version.  A reader that has looked at 'meta' before and after
 * what it needed, and found it the same, has seen one state.  Single words
 * (stamps) are changed in place.
 *
 * Templates and paths: the version is odd while they are changed. */

#include "xdp_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define PATH_PROBES 64
#define IP_DF 0x4000
#define TTL 64
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

void
xdp_addr(__u64 dst[2], const struct in6_addr *addr)
{
    memcpy(dst, addr, sizeof *addr);
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

static bool
same(const __u64 a[2], const __u64 b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

/* --- Sessions. --- */

struct key {                    /* What a tunnel is known by. */
    __u64 dst[2];
    uint32_t teid;
    uint32_t kind;
};

static struct key
make_key(const struct tunnel *t, enum xdp_direction direction, bool inner6)
{
    struct key key = {
        .teid = htonl(t->teid),
        .kind = (XDP_KIND_USED | (direction == XDP_DOWN ? XDP_KIND_DOWN : 0)
                 | (inner6 ? XDP_KIND_INNER6 : 0)),
    };

    xdp_addr(key.dst, &t->dst);
    return key;
}

struct xdp_entry *
xdp_table_entry(const struct xdp_table *t, uint32_t place)
{
    return &t->buckets[place / XDP_BUCKET].e[place % XDP_BUCKET];
}

static bool
entry_is(const struct xdp_entry *e, const struct key *key)
{
    return (XDP_META_KIND(e->meta) == key->kind && e->teid == key->teid
            && same(e->dst, key->dst));
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
    return xdp_hash(key->dst, key->teid, key->kind, t->config->seed,
                    t->config->n_buckets);
}

static uint32_t
find(const struct xdp_table *t, const struct key *key)
{
    struct xdp_place p = hash_key(t, key);

    for (unsigned int i = 0; i < 2 * XDP_BUCKET; i++) {
        uint32_t place = place_of(&p, i);
        if (entry_is(xdp_table_entry(t, place), key)) {
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

struct content {                /* All but the key. */
    const struct in6_addr *src;
    uint64_t ue;
    uint32_t bearer, stamp;
    uint16_t space;
};

static void
write_entry(struct xdp_entry *e, const struct key *key,
            const struct content *c)
{
    uint32_t version = (e->meta + XDP_META_VERSION_ONE) & XDP_META_VERSION;

    STORE(e->meta, version);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy(e->dst, key->dst, sizeof e->dst);
    memcpy(e->src, c->src, sizeof e->src);
    e->count = e->bearer == c->bearer ? e->count : 0;
    e->ue = c->ue;
    e->teid = key->teid;
    e->bearer = c->bearer;
    e->stamp = c->stamp;
    STORE(e->meta, (version | key->kind | (uint32_t) c->space << 16));
}

static bool
has_sender(const struct xdp_entry *e, const struct in6_addr *src)
{
    return !memcmp(e->src, src, sizeof e->src);
}

bool
xdp_table_learn(struct xdp_table *t, const struct tunnel *tunnel,
                enum xdp_direction direction, bool inner6, uint64_t ue,
                uint32_t until)
{
    struct key key = make_key(tunnel, direction, inner6);
    uint32_t place = find_or_make_room(t, &key, false);
    struct content c = { .src = &tunnel->src, .ue = ue, .stamp = until };

    if (place == XDP_NOWHERE) {
        return false;
    }
    struct xdp_entry *e = xdp_table_entry(t, place);
    if (entry_is(e, &key) && e->bearer && has_sender(e, &tunnel->src)) {
        if (direction == XDP_UP) {
            return true;
        } else if (e->ue == ue) {
            STORE(e->stamp, until);
            return true;
        }
    }
    write_entry(e, &key, &c);
    return true;
}

/* Puts a tunnel of 'b' in, or leaves it if it is there already but for its
 * stamp ('stamp' 0: that too). */
static uint32_t
put(struct xdp_table *t, const struct endpoint_bearer *b,
    const struct tunnel *tunnel, enum xdp_direction direction, uint32_t stamp)
{
    struct key key = make_key(tunnel, direction, is_inner6(&b->ue));
    uint32_t place = find_or_make_room(t, &key, true);
    struct content c = {
        .src = &tunnel->src, .ue = xdp_ue_key(&b->ue), .bearer = b->id,
        .stamp = stamp, .space = b->space,
    };

    if (place == XDP_NOWHERE) {
        return XDP_NOWHERE;
    }
    struct xdp_entry *e = xdp_table_entry(t, place);
    bool known = (entry_is(e, &key) && e->bearer == b->id && e->ue == c.ue
                  && has_sender(e, &tunnel->src));
    if (known && XDP_META_SPACE(e->meta) == b->space) {
        if (stamp) {
            STORE(e->stamp, stamp);
        }
    } else {
        c.stamp = known && !stamp ? e->stamp : stamp;
        write_entry(e, &key, &c);
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
xdp_table_seen(struct xdp_table *t, uint32_t place, bool *onward)
{
    uint32_t stamp = __atomic_fetch_and(&xdp_table_entry(t, place)->stamp,
                                        XDP_TICK_MASK, __ATOMIC_ACQ_REL);

    *onward = stamp & XDP_STAMP_ONWARD;
    return stamp & XDP_TICK_MASK;
}

void
xdp_table_unlearn(struct xdp_table *t, const struct endpoint_bearer *b)
{
    const bool inner6 = is_inner6(&b->ue);
    const struct key keys[] = { make_key(&b->up, XDP_UP, inner6),
                                make_key(&b->down, XDP_DOWN, inner6) };

    for (int i = 0; i < 2; i++) {
        xdp_table_release(t, find(t, &keys[i]), 0);
    }
}

static void
describe(const struct xdp_table *t, const struct xdp_entry *e,
         struct endpoint_bearer *b)
{
    uint32_t slot = e->bearer >> 8;

    *b = (struct endpoint_bearer) { .id = e->bearer,
                                    .space = XDP_META_SPACE(e->meta) };
    memcpy(&b->up.src, e->src, sizeof b->up.src);
    memcpy(&b->up.dst, e->dst, sizeof b->up.dst);
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

struct xdp_template *
xdp_table_template_set(struct xdp_table *t, const struct endpoint_bearer *b,
                       uint32_t path, uint32_t place, uint8_t tos,
                       uint32_t seen)
{
    uint32_t slot = b->id >> 8, version;
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
    version = template->version | 1;
    STORE(template->version, version);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!seen) {
        wanted.seen = xdp_now() - t->config->evidence;  /* Ask the entry. */
    }
    wanted.count = template->id == b->id ? template->count : 0;
    wanted.version = version;
    *template = wanted;
    STORE(template->version, version + 1);
    return template;
}

void
xdp_table_template_clear(struct xdp_table *t, uint32_t id)
{
    uint32_t slot = id >> 8;

    if (slot < t->config->n_templates && t->templates[slot].id == id) {
        STORE(t->templates[slot].id, 0);
    }
}

/* --- Paths. --- */

static uint32_t
sum_words(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i += 2) {
        uint16_t word;
        memcpy(&word, p + i, 2);
        sum += word;
    }
    return sum;
}

static void
fill_ip(struct xdp_path *path, const struct in6_addr *src,
        const struct in6_addr *dst)
{
    memset(path->ip, 0, sizeof path->ip);
    if (IN6_IS_ADDR_V4MAPPED(dst)) {
        path->ip_len = 20;
        path->ip[0] = 0x45;
        path->ip[6] = IP_DF >> 8;
        path->ip[8] = TTL;
        path->ip[9] = IPPROTO_UDP;
        memcpy(&path->ip[12], &src->s6_addr[12], 4);
        memcpy(&path->ip[16], &dst->s6_addr[12], 4);
        path->sum = sum_words(path->ip, 20);
    } else {
        path->ip_len = 40;
        path->ip[0] = 0x60;
        path->ip[6] = IPPROTO_UDP;
        path->ip[7] = TTL;
        memcpy(&path->ip[8], src, 16);
        memcpy(&path->ip[24], dst, 16);
        path->sum = sum_words(&path->ip[8], 32) + htons(IPPROTO_UDP);
    }
}

/* Where the path from 'src' to 'dst' is, or may be put; 0 for neither. */
static uint32_t
path_place(const struct xdp_table *t, const struct in6_addr *src,
           const struct in6_addr *dst)
{
    __u64 s[2], d[2];
    uint32_t hash, room = 0;

    xdp_addr(s, src);
    xdp_addr(d, dst);
    hash = xdp_mix(xdp_mix(s[0] ^ s[1] * 3) ^ d[0] ^ d[1] * 5);
    for (uint32_t i = 0; i < PATH_PROBES; i++) {
        uint32_t index = 1 + (hash + i) % (XDP_PATHS - 1);
        const struct xdp_path *path = &t->paths[index];

        if (path->l2_len && same(path->src, s)
            && same(path->dst, d)) {
            return index;
        } else if (!path->l2_len && !room) {
            room = index;
        }
    }
    return room;
}

uint32_t
xdp_table_path_find(const struct xdp_table *t, const struct in6_addr *src,
                    const struct in6_addr *dst)
{
    uint32_t index = path_place(t, src, dst);

    return t->paths[index].l2_len ? index : 0;
}

uint32_t
xdp_table_path_set(struct xdp_table *t, const struct in6_addr *src,
                   const struct in6_addr *dst, const uint8_t *l2,
                   size_t l2_len)
{
    uint32_t index = path_place(t, src, dst);
    struct xdp_path *path = &t->paths[index];

    if (index && (path->l2_len != l2_len
                  || memcmp(path->l2, l2, l2_len))) {
        uint32_t version = path->version | 1;

        STORE(path->version, version);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        xdp_addr(path->src, src);
        xdp_addr(path->dst, dst);
        fill_ip(path, src, dst);
        memcpy(path->l2, l2, l2_len);
        path->l2_len = l2_len;
        STORE(path->version, version + 1);
    }
    return index;
}

/* --- Counters. --- */

void
xdp_count_read(const __u64 *count, uint64_t *last, uint64_t *packets,
               uint64_t *bytes)
{
    uint64_t now = LOAD(*count), delta = now - *last;

    *packets += delta >> XDP_COUNT_SHIFT;
    *bytes += delta & ((1ull << XDP_COUNT_SHIFT) - 1);
    *last = now;
}
