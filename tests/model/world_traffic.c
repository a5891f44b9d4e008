/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What UEs, eNodeBs and SGWs of the random network send.  Packets are built in
 * packets_model.c. */

#include "world_private.h"

#include "packets_model.h"

/* How late the TOF may be to know that a UE has been silent. */
#define KNOWN_US 100000

#define N_ASKED 65536
#define FIRST_PORT 5000

uint32_t last_seq;
static struct asked asked[N_ASKED];

/* Uplink: 'dst', from 'src' in a tunnel of 'ue'. */
static void
send_up(struct ue *ue, int bearer, uint32_t src, uint16_t src_port,
        uint32_t dst, uint16_t dst_port, enum model_mark mark)
{
    struct model_payload p = { .mark = mark, .gen = ue->gen, .sgw = ue->sgw,
                               .seq = ++last_seq };
    uint8_t inner[MODEL_MAX], buf[MODEL_MAX];
    size_t len = model_udp(inner, src, dst, src_port, dst_port, &p);

    ue->traffic = world_now;
    ue->shown = true;
    len = model_gtp(buf, enb_ip(ue->enb), sgw_ip(ue->sgw), ue->up[bearer],
                    MODEL_GPDU, chance(20), inner, len);
    world_config.from_enb(buf, len);
}

struct asked *
asked_find(uint32_t seq)
{
    struct asked *a = &asked[seq % N_ASKED];

    return seq && a->seq == seq ? a : NULL;
}

/* A UE that is idle asks for service first. */
static bool
awake(struct ue *ue)
{
    return ue && (ue->enb >= 0 || connect_ue(ue, dice(N_ENBS)));
}

bool
ask_service(void)
{
    struct ue *ue = random_ue();

    if (!awake(ue)) {
        return false;
    }
    int bearer = dice(ue->n_bearers);
    struct tunnel_end *e = &ups[ue->sgw][ue->up[bearer]];
    if (world_now - e->changed > KNOWN_US
        && ++e->n_shows == world_config.n_shows) {
        e->shown = world_now;
    }
    e->asked = ue_ip(ue);
    world_stats.asked++;
    say("ue %u (%x) asks, sgw %d up %d", ue->gen, ue_ip(ue), ue->sgw,
        ue->up[bearer]);
    int src = dice(N_SRC_PORTS), dst = dice(N_PORTS);
    asked[(last_seq + 1) % N_ASKED] = (struct asked) {
        .seq = last_seq + 1, .at = world_now,
        .flow = (bearer * N_SRC_PORTS + src) * N_PORTS + dst,
    };
    send_up(ue, bearer, ue_ip(ue), FIRST_PORT + src, world_config.service,
            world_config.ports[dst], MODEL_ASKED);
    return true;
}

bool
ask_elsewhere(void)
{
    struct ue *ue = random_ue();

    if (!awake(ue)) {
        return false;
    }
    world_stats.elsewhere++;
    send_up(ue, dice(ue->n_bearers), ue_ip(ue), FIRST_PORT, 0xcb00714d, 53,
            MODEL_ELSEWHERE);
    return true;
}

bool
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
    ue->traffic = world_now;
    world_config.from_sgw(buf, len);
    return true;
}

static void
claim(struct tunnel_end *e, uint32_t address)
{
    if (e->claimed[0] != address) {
        e->claimed[1] = e->claimed[0];
        e->claimed[0] = address;
    }
}

/* What must earn nothing. */
bool
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
    size_t len = model_udp(inner, ue_ip(victim), world_config.service, 5000,
                           world_config.ports[0], &p);
    switch (dice(4)) {
    case 0:                     /* Another's address. */
        say("ue %u spoofs ue %u", ue->gen, victim->gen);
        claim(&ups[ue->sgw][ue->up[0]], ue_ip(victim));
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
    world_config.from_enb(buf, len);
    return true;
}

void
send_error(bool from_enb, uint32_t from, uint32_t to, uint32_t teid)
{
    uint8_t buf[MODEL_MAX];
    size_t len = model_error_indication(buf, from, to, teid);

    world_stats.errors_sent++;
    if (from_enb) {
        world_config.from_enb(buf, len);
    } else {
        world_config.from_sgw(buf, len);
    }
}

bool
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

bool
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
send_marker(const struct ue *ue, const struct fteid *f)
{
    uint8_t buf[MODEL_MAX];
    size_t len = model_gtp(buf, sgw_ip(ue->sgw), enb_ip(f->node), f->teid,
                           MODEL_END_MARKER, chance(50), NULL, 0);

    world_stats.markers++;
    say("end marker %d/%d", f->node, f->teid);
    for (unsigned int i = 0; i <= dice(3); i++) {
        world_config.from_sgw(buf, len);
    }
}

/* A reply to the Pinger. */
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
    world_config.from_sgw(buf, len);
}

void
run_replies(struct ue *ue)
{
    int n = 0;

    for (int i = 0; i < ue->n_replies; i++) {
        if (ue->replies[i].due > world_now || ue->down[0].node < 0) {
            ue->replies[n++] = ue->replies[i];
            continue;
        }
        struct reply r = ue->replies[i];
        send_reply(ue, &r);
    }
    ue->n_replies = n;
}
