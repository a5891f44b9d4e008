/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The random network: see world.h for its rules.  Here is what happens to its
 * UEs. */

#include "world_private.h"

#include <string.h>

struct world_config world_config;
int64_t world_now;
struct ue ues[MAX_UES];

static uint32_t next_gen;

void
world_init(const struct world_config *config)
{
    world_config = *config;
    if (world_config.n_ues > MAX_UES) {
        world_config.n_ues = MAX_UES;
    }
    nodes_init(config->seed);
    memset(&world_stats, 0, sizeof world_stats);
    memset(ues, 0, sizeof ues);
    next_gen = 0;
}

/* What can happen to a UE. */

struct ue *
random_ue(void)
{
    struct ue *ue = &ues[dice(world_config.n_ues)];

    return ue->used && ue->quiet_until <= world_now ? ue : NULL;
}

/* The eNodeB gives the UE a context. */
bool
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
has_namesake(int sgw, int network, int address)
{
    for (int i = 0; i < N_NETWORKS; i++) {
        if (i != network && address_free[sgw][i][address] < 0) {
            return true;
        }
    }
    return false;
}

/* Whether a UE gets uplink tunnels at an SGW, by the rules. */
static bool
can_have(int sgw, int network, int address, int n)
{
    const struct ue like = { .address = address };

    return (n_free(ups[sgw]) >= n
            && !(has_namesake(sgw, network, address)
                 && were_of(ups[sgw], n, ue_ip(&like))));
}

static bool
attach(void)
{
    struct ue *ue = &ues[dice(world_config.n_ues)];
    int sgw = dice(N_SGWS), enb = dice(N_ENBS), n = 1 + chance(25);
    int network = dice(N_NETWORKS);
    const int64_t *free = address_free[sgw][network];
    /* Mostly the lowest; others may find theirs free behind other SGWs. */
    int a = chance(70) ? 0 : dice(N_ADDRESSES);

    while (a < N_ADDRESSES && (free[a] < 0 || free[a] > world_now)) {
        a++;
    }
    if (ue->used || a == N_ADDRESSES || !can_have(sgw, network, a, n)
        || n_free(downs[enb]) < n) {
        return false;
    }
    *ue = (struct ue) { .used = true, .traffic = world_now, .gen = ++next_gen,
                        .sgw = sgw, .sgws = 1u << sgw,
                        .network = network, .address = a, .seq = last_seq,
                        .n_bearers = n, .enb = -1, .by_default = chance(50) };
    address_free[sgw][network][a] = -1;
    world_stats.namesakes += has_namesake(sgw, network, a);
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
        down_free(&ue->down[i], marked ? world_config.marker_us
                  : world_config.silence_us);
        down_free(&ue->next[i], world_config.silence_us);
    }
    ue->switch_due = 0;
}

static void
drop_ups(struct ue *ue)
{
    for (int i = 0; i < ue->n_bearers; i++) {
        teid_free(&ups[ue->sgw][ue->up[i]], world_config.silence_us);
    }
    address_free[ue->sgw][ue->network][ue->address] =
        world_now + world_config.silence_us;
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
    struct ue *ue = &ues[dice(world_config.n_ues)];

    if (!ue->used || ue->enb < 0 || ue->switch_due
        || world_now - ue->traffic < world_config.silence_us) {
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
    ue->switch_due = world_now + (chance(40) ? 1 : dice(60000));
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
        || address_free[sgw][ue->network][ue->address] < 0
        || address_free[sgw][ue->network][ue->address] > world_now
        || !can_have(sgw, ue->network, ue->address, ue->n_bearers)
        || n_free(downs[enb]) < ue->n_bearers) {
        return false;
    }
    say("s1 handover ue %u (%x): sgw %d to %d", ue->gen, ue_ip(ue), ue->sgw,
        sgw);
    ue->at_app = 0;             /* Other tunnels: nobody can tell. */
    for (int bearer = 0; bearer < MAX_BEARERS; bearer++) {
        ue->given_up[bearer] = world_now;
    }
    memset(ue->at_sgw, 0, sizeof ue->at_sgw);
    drop_downs(ue, 50);
    drop_ups(ue);
    ue->sgw = sgw;
    ue->seq = last_seq;
    ue->sgws |= 1u << sgw;
    address_free[sgw][ue->network][ue->address] = -1;
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

    for (unsigned int i = 0; i < world_config.n_ues; i++) {
        n += ues[i].quiet_until > world_now;
    }
    if (!ue || n > world_config.n_ues / 2) {
        return false;
    }
    ue->quiet_until = (world_now + world_config.silence_us / 2
                       + dice(world_config.silence_us));
    say("ue %u falls silent", ue->gen);
    world_stats.silences++;
    return true;
}

void
world_step(int64_t now)
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

    world_tick(now);
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

void
world_tick(int64_t now)
{
    world_now = now;
    for (unsigned int i = 0; i < world_config.n_ues; i++) {
        struct ue *ue = &ues[i];

        if (!ue->used) {
            continue;
        }
        if (ue->switch_due && ue->switch_due <= world_now) {
            switch_path(ue);
        }
        if (ue->page_due && ue->page_due <= world_now) {
            say("page ue %u", ue->gen);
            world_stats.pages++;
            connect_ue(ue, dice(N_ENBS));
        }
        if (ue->n_replies) {
            run_replies(ue);
        }
    }
}
