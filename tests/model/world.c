/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The random network and its judge: see world.h.  Packets are built and read
 * in packets.c. */

#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "packets_model.h"

#define N_ENBS 4
#define N_SGWS 3
#define N_TEIDS 128             /* A node; 0 is not used. */
#define N_ADDRESSES 96          /* An SGW. */
#define MAX_UES 160
#define MAX_BEARERS 2
#define MAX_REPLIES 16
#define LOG_LINES 80
/* How late the TOF may be to know that a UE has been silent. */
#define KNOWN_US 100000

struct fteid {
    int node;                   /* -1: none. */
    int teid;
};

struct reply {                  /* To a ping, waiting to be sent. */
    int64_t due;
    int bearer;
    size_t len;
    uint8_t ip[128];
};

struct ue {
    bool used;
    uint32_t gen;               /* Another one for each attach. */
    int sgw, address;
    unsigned int sgws;          /* Bits: where it has been.  The gateway behind
                                 * them sends by the last one what came by
                                 * another. */
    int n_bearers;
    int up[MAX_BEARERS];        /* TEIDs at the SGW. */
    int enb;                    /* -1: idle. */
    struct fteid down[MAX_BEARERS];     /* As the SGW has it. */
    struct fteid next[MAX_BEARERS];     /* After the path switch. */
    int64_t switch_due;         /* 0: no path switch under way. */
    int64_t page_due;           /* 0: not being paged. */
    int64_t quiet_until;
    int64_t traffic;            /* The last, in any direction. */
    bool shown;                 /* Has sent since it is at this eNodeB. */
    bool by_default;            /* Pings are answered by bearer 0. */
    struct reply replies[MAX_REPLIES];
    int n_replies;
};

struct tunnel_end {             /* A TEID at a node. */
    struct ue *owner;
    int64_t free_at;
    int64_t changed;            /* When it got its owner. */
    uint32_t last_address;      /* Owner before this one. */
    int last_sgw;
    int64_t shown;              /* When the owner first sent to the service in
                                 * it; 0: not yet. */
    uint32_t claimed;           /* Whose address the owner has used in it. */
};

struct world_stats world_stats;

static struct world_config config;
static uint64_t rng;
static int64_t now;
static struct ue ues[MAX_UES];
static struct tunnel_end downs[N_ENBS][N_TEIDS], ups[N_SGWS][N_TEIDS];
static int64_t address_free[N_SGWS][N_ADDRESSES];       /* -1: in use. */
static uint32_t next_gen, next_seq;
static char log_lines[LOG_LINES][120];
static unsigned int n_log;

static void
say(const char *format, ...)
{
    char *line = log_lines[n_log++ % LOG_LINES];
    int n = snprintf(line, sizeof log_lines[0], "%10.6f ", now / 1e6);
    va_list args;

    va_start(args, format);
    vsnprintf(line + n, sizeof log_lines[0] - n, format, args);
    va_end(args);
}

void
world_print_log(FILE *f)
{
    unsigned int i = n_log > LOG_LINES ? n_log - LOG_LINES : 0;

    for (; i < n_log; i++) {
        fprintf(f, "# %s\n", log_lines[i % LOG_LINES]);
    }
}

static void
violation(const char *what)
{
    say("VIOLATION: %s", what);
    if (world_stats.violations++ < 3) {
        fprintf(stderr, "# violation %"PRIu64", seed %"PRIu64", event %"PRIu64
                "; what came before it:\n", world_stats.violations,
                config.seed, world_stats.events);
        world_print_log(stderr);
    }
}

/* xorshift64*. */
static uint32_t
dice(uint32_t n)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return (uint64_t) ((rng * 0x2545f4914f6cdd1dull) >> 32) * n >> 32;
}

static bool
chance(int percent)
{
    return dice(100) < (uint32_t) percent;
}

/* Addresses. */

static uint32_t
enb_ip(int enb)
{
    return 0x0a010065 + enb;            /* 10.1.0.101... */
}

static uint32_t
sgw_ip(int sgw)
{
    return 0x0a0100c9 + sgw;            /* 10.1.0.201... */
}

static uint32_t
ue_ip(const struct ue *ue)
{
    return 0x0a2d0001 + ue->address;    /* 10.45.0.1... */
}

static int
enb_of(uint32_t ip)
{
    return ip - enb_ip(0) < N_ENBS ? (int) (ip - enb_ip(0)) : -1;
}

static int
sgw_of(uint32_t ip)
{
    return ip - sgw_ip(0) < N_SGWS ? (int) (ip - sgw_ip(0)) : -1;
}

/* Identifiers. */

/* The lowest TEID that is free, or 0. */
static int
teid_take(struct tunnel_end *ends, struct ue *ue)
{
    for (int i = 1; i < N_TEIDS; i++) {
        struct tunnel_end *e = &ends[i];

        if (!e->owner && e->free_at <= now) {
            e->owner = ue;
            e->changed = now;
            e->shown = 0;
            e->claimed = 0;
            return i;
        }
    }
    return 0;
}

static void
teid_free(struct tunnel_end *e, int64_t after)
{
    if (e->owner) {
        e->last_address = ue_ip(e->owner);
        e->last_sgw = e->owner->sgw;
        e->owner = NULL;
    }
    e->free_at = now + after;
}

static int
n_free(const struct tunnel_end *ends)
{
    int n = 0;

    for (int i = 1; i < N_TEIDS; i++) {
        n += !ends[i].owner && ends[i].free_at <= now;
    }
    return n;
}

static void
down_free(struct fteid *f, int64_t after)
{
    if (f->node >= 0) {
        teid_free(&downs[f->node][f->teid], after);
        f->node = -1;
    }
}

static void
down_take(struct ue *ue, struct fteid *f, int enb)
{
    f->node = enb;
    f->teid = teid_take(downs[enb], ue);
    if (!f->teid) {
        f->node = -1;
    } else if (downs[enb][f->teid].last_address) {
        world_stats.reused_down++;
    }
}

static void
send_marker(const struct ue *ue, const struct fteid *f)
{
    uint8_t buf[MODEL_MAX];
    size_t len = model_gtp(buf, sgw_ip(ue->sgw), enb_ip(f->node), f->teid,
                           MODEL_END_MARKER, chance(50), NULL, 0);

    world_stats.markers++;
    say("end marker %d/%d", f->node, f->teid);
    for (unsigned int i = 0; i <= dice(3); i++) {
        config.from_sgw(buf, len);
    }
}

/* What can happen to a UE. */

static struct ue *
random_ue(void)
{
    struct ue *ue = &ues[dice(config.n_ues)];

    return ue->used && ue->quiet_until <= now ? ue : NULL;
}

/* The eNodeB gives the UE a context. */
static bool
connect_ue(struct ue *ue, int enb)
{
    if (n_free(downs[enb]) < ue->n_bearers) {
        return false;
    }
    ue->enb = enb;
    ue->page_due = 0;
    for (int i = 0; i < ue->n_bearers; i++) {
        down_take(ue, &ue->down[i], enb);
    }
    for (int i = 0; i < ue->n_bearers; i++) {
        say("ue %u at enb %d, down %d/%d, up %d", ue->gen, enb,
            ue->down[i].node, ue->down[i].teid, ue->up[i]);
    }
    return true;
}

static bool
attach(void)
{
    struct ue *ue = &ues[dice(config.n_ues)];
    int sgw = dice(N_SGWS), enb = dice(N_ENBS), n = 1 + chance(25);
    /* Mostly the lowest; others may find theirs free behind other SGWs. */
    int a = chance(70) ? 0 : dice(N_ADDRESSES);

    while (a < N_ADDRESSES && (address_free[sgw][a] < 0
                               || address_free[sgw][a] > now)) {
        a++;
    }
    if (ue->used || a == N_ADDRESSES || n_free(ups[sgw]) < n
        || n_free(downs[enb]) < n) {
        return false;
    }
    *ue = (struct ue) { .used = true, .traffic = now, .gen = ++next_gen,
                        .sgw = sgw, .sgws = 1u << sgw, .address = a,
                        .n_bearers = n, .enb = -1, .by_default = chance(50) };
    address_free[sgw][a] = -1;
    for (int i = 0; i < n; i++) {
        ue->up[i] = teid_take(ups[sgw], ue);
        ue->down[i].node = ue->next[i].node = -1;
    }
    say("attach ue %u, address %d sgw %d up %d", ue->gen, a, sgw, ue->up[0]);
    connect_ue(ue, enb);
    world_stats.attaches++;
    return true;
}

/* Its tunnels to eNodeBs end: with an End Marker in some, or in silence. */
static void
drop_downs(struct ue *ue, int percent_marked)
{
    for (int i = 0; i < ue->n_bearers; i++) {
        say("  ue %u leaves down %d/%d", ue->gen, ue->down[i].node,
            ue->down[i].teid);
        bool marked = ue->down[i].node >= 0 && chance(percent_marked);

        if (marked) {
            send_marker(ue, &ue->down[i]);
        }
        down_free(&ue->down[i], marked ? config.marker_us
                  : config.silence_us);
        down_free(&ue->next[i], config.silence_us);
    }
    ue->switch_due = 0;
}

static void
drop_ups(struct ue *ue)
{
    for (int i = 0; i < ue->n_bearers; i++) {
        teid_free(&ups[ue->sgw][ue->up[i]], config.silence_us);
    }
    address_free[ue->sgw][ue->address] = now + config.silence_us;
}

static bool
release(void)
{
    struct ue *ue = random_ue();

    if (!ue) {
        return false;
    }
    say("release ue %u, address %d sgw %d up %d down %d/%d", ue->gen,
        ue->address, ue->sgw, ue->up[0], ue->down[0].node,
        ue->down[0].teid);
    drop_downs(ue, 0);
    drop_ups(ue);
    ue->used = false;
    world_stats.releases++;
    return true;
}

static bool
s1_release(void)
{
    struct ue *ue = &ues[dice(config.n_ues)];

    if (!ue->used || ue->enb < 0 || ue->switch_due
        || now - ue->traffic < config.silence_us) {
        return false;
    }
    say("s1 release ue %u", ue->gen);
    drop_downs(ue, 0);
    ue->enb = -1;
    world_stats.s1_releases++;
    return true;
}

/* The UE is at another eNodeB at once; the SGW follows after a while. */
static bool
x2_handover(void)
{
    struct ue *ue = random_ue();
    int enb = dice(N_ENBS);

    if (!ue || ue->enb < 0 || ue->switch_due || enb == ue->enb
        || n_free(downs[enb]) < ue->n_bearers) {
        return false;
    }
    for (int i = 0; i < ue->n_bearers; i++) {
        down_take(ue, &ue->next[i], enb);
    }
    say("x2 ue %u: enb %d to %d, down %d", ue->gen, ue->enb, enb,
        ue->next[0].teid);
    for (int i = 1; i < ue->n_bearers; i++) {
        say("  and down %d", ue->next[i].teid);
    }
    ue->enb = enb;
    ue->shown = false;
    ue->switch_due = now + (chance(40) ? 1 : dice(60000));
    world_stats.x2++;
    return true;
}

static void
switch_path(struct ue *ue)
{
    struct fteid next[MAX_BEARERS];

    say("path switch of ue %u", ue->gen);
    for (int i = 0; i < ue->n_bearers; i++) {
        next[i] = ue->next[i];
        ue->next[i].node = -1;
    }
    drop_downs(ue, ue->shown ? 80 : 100);
    for (int i = 0; i < ue->n_bearers; i++) {
        ue->down[i] = next[i];
    }
}

static bool
s1_handover(void)
{
    struct ue *ue = random_ue();
    int sgw = dice(N_SGWS), enb = dice(N_ENBS);

    if (!ue || ue->enb < 0 || sgw == ue->sgw
        || address_free[sgw][ue->address] < 0
        || address_free[sgw][ue->address] > now
        || n_free(ups[sgw]) < ue->n_bearers
        || n_free(downs[enb]) < ue->n_bearers) {
        return false;
    }
    say("s1 handover ue %u (%x): sgw %d to %d", ue->gen, ue_ip(ue), ue->sgw,
        sgw);
    drop_downs(ue, 50);
    drop_ups(ue);
    ue->sgw = sgw;
    ue->sgws |= 1u << sgw;
    address_free[sgw][ue->address] = -1;
    for (int i = 0; i < ue->n_bearers; i++) {
        ue->up[i] = teid_take(ups[sgw], ue);
    }
    connect_ue(ue, enb);
    world_stats.s1++;
    return true;
}

/* At most half of them at a time. */
static bool
silence(void)
{
    struct ue *ue = random_ue();
    unsigned int n = 0;

    for (unsigned int i = 0; i < config.n_ues; i++) {
        n += ues[i].quiet_until > now;
    }
    if (!ue || n > config.n_ues / 2) {
        return false;
    }
    ue->quiet_until = now + config.silence_us / 2 + dice(config.silence_us);
    say("ue %u falls silent", ue->gen);
    world_stats.silences++;
    return true;
}

/* Traffic. */

/* Each UE has ports of its own.  Otherwise a late answer of the App's to one
 * UE could meet the flow of another one with the same address and port, behind
 * another SGW, after the first one's has ended: the App itself cannot tell
 * them apart. */
static uint16_t
port_of(const struct ue *ue, int bearer)
{
    return 1024 + (ue->gen * MAX_BEARERS + bearer) % 60000;
}

/* Uplink: 'dst', from 'src' in a tunnel of 'ue'. */
static void
send_up(struct ue *ue, int bearer, uint32_t src, uint32_t dst,
        uint16_t port, enum model_mark mark)
{
    struct model_payload p = { .mark = mark, .gen = ue->gen, .sgw = ue->sgw,
                               .seq = ++next_seq };
    uint8_t inner[MODEL_MAX], buf[MODEL_MAX];
    size_t len = model_udp(inner, src, dst, port_of(ue, bearer), port, &p);

    ue->traffic = now;
    ue->shown = true;
    len = model_gtp(buf, enb_ip(ue->enb), sgw_ip(ue->sgw), ue->up[bearer],
                    MODEL_GPDU, chance(20), inner, len);
    config.from_enb(buf, len);
}

/* A UE that is idle asks for service first. */
static bool
awake(struct ue *ue)
{
    return ue && (ue->enb >= 0 || connect_ue(ue, dice(N_ENBS)));
}

static bool
ask_service(void)
{
    struct ue *ue = random_ue();

    if (!awake(ue)) {
        return false;
    }
    int bearer = dice(ue->n_bearers);
    struct tunnel_end *e = &ups[ue->sgw][ue->up[bearer]];
    if (!e->shown && now - e->changed > KNOWN_US) {
        e->shown = now;
    }
    world_stats.asked++;
    say("ue %u asks, up %d", ue->gen, ue->up[bearer]);
    send_up(ue, bearer, ue_ip(ue), config.service, config.ports[dice(2)],
            MODEL_ASKED);
    return true;
}

static bool
ask_elsewhere(void)
{
    struct ue *ue = random_ue();

    if (!awake(ue)) {
        return false;
    }
    world_stats.elsewhere++;
    send_up(ue, dice(ue->n_bearers), ue_ip(ue), 0xcb00714d, 53,
            MODEL_ELSEWHERE);
    return true;
}

static bool
natural(void)
{
    struct ue *ue = random_ue();
    uint8_t inner[MODEL_MAX], buf[MODEL_MAX];

    if (!ue || ue->down[0].node < 0) {
        return false;
    }
    struct model_payload p = { .mark = MODEL_NATURAL, .gen = ue->gen };
    int b = dice(ue->n_bearers);
    size_t len = model_udp(inner, 0xcb00714d, ue_ip(ue), 53, 5000, &p);
    len = model_gtp(buf, sgw_ip(ue->sgw), enb_ip(ue->down[b].node),
                    ue->down[b].teid, MODEL_GPDU, chance(20), inner, len);
    world_stats.natural++;
    ue->traffic = now;
    config.from_sgw(buf, len);
    return true;
}

/* What must earn nothing. */
static bool
spoof(void)
{
    struct ue *ue = random_ue(), *victim = random_ue();
    uint8_t inner[MODEL_MAX], nested[MODEL_MAX], buf[MODEL_MAX];

    if (!awake(ue) || !victim || victim == ue || ue_ip(victim) == ue_ip(ue)) {
        return false;
    }
    world_stats.spoofs++;
    struct model_payload p = { .mark = MODEL_SPOOFED, .gen = ue->gen,
                               .sgw = ue->sgw };
    uint32_t from = enb_ip(ue->enb), to = sgw_ip(ue->sgw);
    size_t len = model_udp(inner, ue_ip(victim), config.service, 5000,
                           config.ports[0], &p);
    switch (dice(4)) {
    case 0:                     /* Another's address. */
        say("ue %u spoofs ue %u", ue->gen, victim->gen);
        ups[ue->sgw][ue->up[0]].claimed = ue_ip(victim);
        len = model_gtp(buf, from, to, ue->up[0], MODEL_GPDU, false, inner,
                        len);
        break;
    case 1:                     /* GTP-U inside. */
        len = model_gtp(nested, enb_ip(0), sgw_ip(0), ups[0][1].owner ? 1 : 2,
                        MODEL_GPDU, false, inner, len);
        len = model_gtp(buf, from, to, ue->up[0], MODEL_GPDU, false, nested,
                        len);
        break;
    case 2:                     /* A tunnel of nobody. */
        len = model_gtp(buf, from, to, 0x10000 + dice(1 << 20), MODEL_GPDU,
                        false, inner, len);
        break;
    default:                    /* Other messages. */
        len = model_gtp(buf, from, to, ue->up[0],
                        (int[]) { 1, 2, 31, 254 }[dice(4)], false, inner,
                        len);
    }
    config.from_enb(buf, len);
    return true;
}

static void
send_error(bool from_enb, uint32_t from, uint32_t to, uint32_t teid)
{
    uint8_t buf[MODEL_MAX];
    size_t len = model_error_indication(buf, from, to, teid);

    world_stats.errors_sent++;
    if (from_enb) {
        config.from_enb(buf, len);
    } else {
        config.from_sgw(buf, len);
    }
}

static bool
stray_error(void)
{
    int enb = dice(N_ENBS), sgw = dice(N_SGWS), teid = 1 + dice(N_TEIDS - 1);
    bool from_enb = chance(50);

    if (from_enb ? !!downs[enb][teid].owner : !!ups[sgw][teid].owner) {
        return false;
    }
    say("stray error indication");
    send_error(from_enb, from_enb ? enb_ip(enb) : sgw_ip(sgw),
               from_enb ? sgw_ip(sgw) : enb_ip(enb), teid);
    return true;
}

static bool
stray_marker(void)
{
    struct ue *ue = random_ue();

    if (!ue || ue->down[0].node < 0) {
        return false;
    }
    send_marker(ue, &ue->down[0]);
    return true;
}

void
world_step(int64_t now_)
{
    static const struct {
        unsigned int weight;
        bool (*happens)(void);
    } events[] = {
        { 480, ask_service }, { 120, ask_elsewhere }, { 80, natural },
        { 60, attach }, { 30, x2_handover }, { 20, s1_handover },
        { 30, s1_release }, { 45, release }, { 60, silence }, { 60, spoof },
        { 8, stray_error }, { 7, stray_marker },
    };

    world_tick(now_);
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t at = dice(1000);
        size_t i = 0;

        while (at >= events[i].weight) {
            at -= events[i++].weight;
        }
        if (events[i].happens()) {
            break;
        }
    }
    world_stats.events++;
}

/* Replies to the Pinger. */

static void
send_reply(struct ue *ue, const struct reply *r)
{
    int b = ue->by_default ? 0 : r->bearer;
    uint8_t buf[MODEL_MAX];
    size_t len = model_gtp(buf, sgw_ip(ue->sgw), enb_ip(ue->down[b].node),
                           ue->down[b].teid, MODEL_GPDU, false, r->ip,
                           r->len);

    world_stats.replies++;
    world_stats.old_path_replies += ue->switch_due != 0;
    say("reply for ue %u (%x), down %d/%d", ue->gen, ue_ip(ue),
        ue->down[b].node, ue->down[b].teid);
    config.from_sgw(buf, len);
}

static void
run_replies(struct ue *ue)
{
    int n = 0;

    for (int i = 0; i < ue->n_replies; i++) {
        if (ue->replies[i].due > now || ue->down[0].node < 0) {
            ue->replies[n++] = ue->replies[i];
            continue;
        }
        struct reply r = ue->replies[i];
        send_reply(ue, &r);
    }
    ue->n_replies = n;
}

void
world_tick(int64_t now_)
{
    now = now_;
    for (unsigned int i = 0; i < config.n_ues; i++) {
        struct ue *ue = &ues[i];

        if (!ue->used) {
            continue;
        }
        if (ue->switch_due && ue->switch_due <= now) {
            switch_path(ue);
        }
        if (ue->page_due && ue->page_due <= now) {
            say("page ue %u", ue->gen);
            world_stats.pages++;
            connect_ue(ue, dice(N_ENBS));
        }
        if (ue->n_replies) {
            run_replies(ue);
        }
    }
}

static void
ping_at_sgw(const struct model_packet *p, int sgw)
{
    struct tunnel_end *e = &ups[sgw][p->teid % N_TEIDS];
    struct ue *ue = p->teid < N_TEIDS ? e->owner : NULL;

    world_stats.pings++;
    say("ping as %x at sgw %d up %u", p->inner_src, sgw, p->teid);
    if (!ue) {
        world_stats.dead_up++;
        if (chance(50)) {
            send_error(false, sgw_ip(sgw), p->src, p->teid);
        }
        return;
    }
    if (p->inner_src != ue_ip(ue)) {
        /* The gateway drops it, as it is not this UE's address. */
        world_stats.blind_pings++;
        if (e->shown && now - e->shown > config.silence_us
            && p->inner_src != e->claimed) {
            violation("a ping as one UE in another's tunnel");
        }
        return;
    }
    if (ue->n_replies < MAX_REPLIES && p->inner_len <= 128) {
        struct reply *r = &ue->replies[ue->n_replies++];

        r->due = now + (chance(70) ? 0 : dice(30000));
        r->bearer = ue->n_bearers > 1 && ue->up[1] == (int) p->teid;
        r->len = model_echo_reply(r->ip, p->inner, p->inner_len);
        if (ue->enb < 0 && !ue->page_due) {
            ue->page_due = now + 5000 + dice(60000);
        }
    }
}

void
world_at_sgw(const uint8_t *ip, size_t len, int64_t now_)
{
    struct model_packet p;
    int sgw;

    now = now_;
    if (!model_parse(ip, len, &p) || p.type != MODEL_GPDU
        || (sgw = sgw_of(p.dst)) < 0) {
        return;
    }
    if (p.is_echo && p.inner_dst == config.target) {
        ping_at_sgw(&p, sgw);
    } else if (p.payload.mark == MODEL_ASKED
               && p.inner_dst == config.service) {
        world_stats.switched++;
    }
}

/* The judge. */

static bool
is_theirs(const struct tunnel_end *e, uint32_t address, int sgw)
{
    return (e->owner && ue_ip(e->owner) == address && sgw >= 0
            && e->owner->sgws & 1u << sgw);
}

static bool
was_under_way(const struct tunnel_end *e, uint32_t address, int sgw)
{
    if (e->last_address != address || e->last_sgw != sgw
        || now - e->changed > config.flight_us) {
        return false;
    }
    world_stats.in_flight++;
    if (now - e->changed > world_stats.max_in_flight_us) {
        world_stats.max_in_flight_us = now - e->changed;
    }
    return true;
}

static void
answer_at_enb(const struct model_packet *p, int enb)
{
    struct tunnel_end *e = &downs[enb][p->teid % N_TEIDS];
    char what[100];

    bool spoofed = p->payload.mark == MODEL_SPOOFED;

    if (p->teid < N_TEIDS && e->owner) {
        e->owner->traffic = now;
    }
    if (p->teid >= N_TEIDS || !e->owner) {
        world_stats.dead_down++;
        say("answer to ue %u into nobody's down %d/%u", p->payload.gen, enb,
            p->teid);
        send_error(true, enb_ip(enb), p->src, p->teid);
    } else if (spoofed && ue_ip(e->owner) != p->inner_dst) {
        snprintf(what, sizeof what, "answer to a spoof of ue %u (%x) in the "
                 "tunnel %d/%u of ue %u", p->payload.gen, p->inner_dst, enb,
                 p->teid, e->owner ? e->owner->gen : 0);
        violation(what);
    } else if (spoofed) {
        world_stats.spoofed_answers++;
    } else if (p->payload.gen == e->owner->gen) {
        world_stats.answered++;
    } else if (is_theirs(e, p->inner_dst, p->payload.sgw)) {
        world_stats.next_holder++;
    } else {
        if (!was_under_way(e, p->inner_dst, p->payload.sgw)) {
            snprintf(what, sizeof what, "answer to ue %u (%x, sgw %u) in the "
                     "tunnel %d/%u of ue %u (%x, sgw %d)", p->payload.gen,
                     p->inner_dst, p->payload.sgw, enb, p->teid,
                     e->owner->gen, ue_ip(e->owner), e->owner->sgw);
            violation(what);
        }
    }
}

void
world_at_enb(const uint8_t *ip, size_t len, int64_t now_)
{
    struct model_packet p;
    int enb;

    now = now_;
    if (!model_parse(ip, len, &p) || p.type != MODEL_GPDU
        || (enb = enb_of(p.dst)) < 0) {
        return;
    }
    if (p.is_echo_reply && p.inner_src == config.target) {
        say("a reply to the Pinger leaks");
        world_stats.leaked++;
    } else if (p.payload.mark == MODEL_ASKED
               || p.payload.mark == MODEL_SPOOFED) {
        answer_at_enb(&p, enb);
    }
}

bool
world_may_use(uint32_t enb_, uint32_t teid, uint32_t ue, uint32_t sgw_,
              int64_t now_)
{
    int enb = enb_of(enb_), sgw = sgw_of(sgw_);
    struct tunnel_end *e;

    now = now_;
    if (enb < 0 || teid >= N_TEIDS || !downs[enb][teid].owner) {
        return true;
    }
    e = &downs[enb][teid];
    if (is_theirs(e, ue, sgw) || was_under_way(e, ue, sgw)) {
        return true;
    }
    char what[100];
    snprintf(what, sizeof what, "the endpoint uses tunnel %d/%u of ue %u (%x, "
             "sgw %d) for %x, sgw %d", enb, teid, e->owner->gen,
             ue_ip(e->owner), e->owner->sgw, ue, sgw);
    violation(what);
    return false;
}

void
world_init(const struct world_config *config_)
{
    config = *config_;
    if (config.n_ues > MAX_UES) {
        config.n_ues = MAX_UES;
    }
    rng = config.seed * 0x9e3779b97f4a7c15ull + 1;
    memset(&world_stats, 0, sizeof world_stats);
    memset(ues, 0, sizeof ues);
    memset(downs, 0, sizeof downs);
    memset(ups, 0, sizeof ups);
    memset(address_free, 0, sizeof address_free);
    n_log = next_gen = next_seq = 0;
}

void
world_print_stats(FILE *f)
{
    const struct world_stats *s = &world_stats;

    fprintf(f, "# seed %"PRIu64": %"PRIu64" events: %"PRIu64" attaches, %"
            PRIu64" releases, %"PRIu64" X2 handovers, %"PRIu64
            " S1 handovers, %"PRIu64" S1 releases, %"PRIu64" pages, %"PRIu64" silences\n",
            config.seed, s->events, s->attaches, s->releases, s->x2, s->s1,
            s->s1_releases, s->pages, s->silences);
    fprintf(f, "# %"PRIu64" spoofs, %"PRIu64" end markers, %"PRIu64
            " error indications, %"PRIu64" downlink tunnels changed hands\n",
            s->spoofs, s->markers, s->errors_sent, s->reused_down);
    fprintf(f, "# service: %"PRIu64" asked, %"PRIu64" answered, %"PRIu64
            " switched; answers: %"PRIu64" to the address's next holder, %"
            PRIu64" to spoofed ones, %"PRIu64" into dead tunnels, %"PRIu64
            " in flight (%.1f ms at most)\n", s->asked,
            s->answered, s->switched, s->next_holder, s->spoofed_answers,
            s->dead_down, s->in_flight, s->max_in_flight_us / 1e3);
    fprintf(f, "# pinger: %"PRIu64" pings, %"PRIu64" replies, %"PRIu64
            " by an old path, %"PRIu64" pings into dead tunnels, %"PRIu64
            " into others' that were not seen, %"PRIu64" replies leaked\n",
            s->pings, s->replies, s->old_path_replies, s->dead_up,
            s->blind_pings, s->leaked);
    fprintf(f, "# violations: %"PRIu64"\n", s->violations);
}
