/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the TOF sends, and the judge, who knows whose tunnel is whose: see
 * world.h.  Packets are read in packets_model.c. */

#include "world_private.h"

#include <inttypes.h>
#include <string.h>

#include "packets_model.h"

/* The TOF gives a bearer up after 2 s; what is at the SGW stays there until it
 * has been silent for 30 s. */
#define GIVEN_UP_US 1990000
#define STAYS_US 29000000

struct world_stats world_stats;

static void
violation(const char *what)
{
    say("VIOLATION: %s", what);
    if (world_stats.violations++ < 3) {
        fprintf(stderr, "# violation %"PRIu64", seed %"PRIu64", event %"PRIu64
                "; what came before it:\n", world_stats.violations,
                world_config.seed, world_stats.events);
        world_print_log(stderr);
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
        if (e->shown && world_now - e->shown > world_config.silence_us
            && p->inner_src != e->claimed[0]
            && p->inner_src != e->claimed[1]) {
            say("it is ue %u's (%x) since %"PRId64" us, who was seen there "
                "%"PRId64" us ago", ue->gen, ue_ip(ue), world_now - e->changed,
                world_now - e->shown);
            violation("a ping as one UE in another's tunnel");
        }
        return;
    }
    if (ue->n_replies < MAX_REPLIES && p->inner_len <= 128) {
        struct reply *r = &ue->replies[ue->n_replies++];

        r->due = world_now + (chance(70) ? 0 : dice(30000));
        r->bearer = ue->n_bearers > 1 && ue->up[1] == (int) p->teid;
        r->len = model_echo_reply(r->ip, p->inner, p->inner_len);
        if (ue->enb < 0 && !ue->page_due) {
            ue->page_due = world_now + 5000 + dice(60000);
        }
    }
}

static struct ue *
ue_by_gen(uint32_t gen)
{
    for (struct ue *ue = ues; ue < &ues[MAX_UES]; ue++) {
        if (ue->used && ue->gen == gen) {
            return ue;
        }
    }
    return NULL;
}

static int
bearer_of(const struct asked *a)
{
    return a->flow / (N_FLOWS / MAX_BEARERS);
}

static uint64_t *
at_app_of(int sgw, uint32_t teid, uint32_t address)
{
    return &ups[sgw][teid % N_TEIDS].at_app[address / 64 % N_AT_APP];
}

void
world_diverted(uint32_t sgw, uint32_t teid, uint32_t address)
{
    *at_app_of(sgw_of(sgw), teid, address) |= UINT64_C(1) << address % 64;
}

/* Its other bearer's connections stay at Apps: the TOF gives up bearers, not
 * UEs. */
static void
given_up(struct ue *ue, int bearer)
{
    const unsigned int n = N_FLOWS / MAX_BEARERS;

    ue->at_app &= ~(((1u << n) - 1) << n * bearer);
    ue->given_up[bearer] = world_now;
}

/* A UE's packet to the service has come to the SGW.  If an App has answered
 * its connection, that is only so because the TOF has given the UE up. */
static void
service_at_sgw(const struct model_packet *p, int sgw)
{
    struct ue *ue = ue_by_gen(p->payload.gen);
    const struct asked *a = asked_find(p->payload.seq);

    world_stats.switched++;
    if (!ue || !a || ue->sgw != sgw || ue->up[bearer_of(a)] != (int) p->teid
        || world_now - ups[sgw][p->teid].changed < world_config.silence_us) {
        return;                 /* It may look like a forger. */
    }
    say("ue %u's packet %u at sgw %d", ue->gen, a->seq, sgw);
    if (ue->at_app & 1u << a->flow && world_now - a->at < GIVEN_UP_US) {
        world_stats.leaks++;
        if (world_config.judge_ways) {
            violation("a packet of a diverted connection at the SGW");
        }
    }
    if (world_now - a->at >= GIVEN_UP_US) {
        given_up(ue, bearer_of(a));
    }
    if (!(*at_app_of(sgw, p->teid, ue_ip(ue)) >> ue_ip(ue) % 64 & 1)) {
        ue->at_sgw[a->flow] = world_now;
    }
}

/* An App has answered.  If an earlier packet of the connection has come to the
 * SGW, this one should have done so, too. */
static void
answered_by_app(struct ue *ue, const struct model_packet *p)
{
    const struct asked *a = asked_find(p->payload.seq);

    if (a && p->payload.sgw == (uint32_t) ue->sgw) {
        int64_t *at_sgw = &ue->at_sgw[a->flow];

        if (*at_sgw && a->at > *at_sgw && a->at - *at_sgw < STAYS_US) {
            world_stats.torn++;
            if (world_config.judge_ways) {
                say("ue %u's packet %u of %f, at its sgw at %f", ue->gen,
                    a->seq, a->at / 1e6, *at_sgw / 1e6);
                violation("a connection that began at the SGW at an App");
            }
        }
        if (a->at > ue->given_up[bearer_of(a)]) {
            ue->at_app |= 1u << a->flow;
        }
    }
}

void
world_stays(uint32_t sgw, uint32_t teid)
{
    struct tunnel_end *e = &ups[sgw_of(sgw)][teid % N_TEIDS];

    if (e->shown == world_now) {
        e->shown = 0;
    }
}

void
world_all_given_up(void)
{
    for (size_t i = 0; i < MAX_UES; i++) {
        for (int bearer = 0; bearer < MAX_BEARERS; bearer++) {
            given_up(&ues[i], bearer);
        }
    }
}

/* What is no G-PDU is not judged. */
static bool
read_gpdu(const uint8_t *ip, size_t len, int64_t now, struct model_packet *p)
{
    world_now = now;
    return model_parse(ip, len, p) && p->type == MODEL_GPDU;
}

void
world_at_sgw(const uint8_t *ip, size_t len, int64_t now)
{
    struct model_packet p;
    int sgw = read_gpdu(ip, len, now, &p) ? sgw_of(p.dst) : -1;

    if (sgw < 0) {
        return;
    } else if (p.is_echo && p.inner_dst == world_config.target) {
        ping_at_sgw(&p, sgw);
    } else if (p.payload.mark == MODEL_ASKED
               && p.inner_dst == world_config.service) {
        service_at_sgw(&p, sgw);
    }
}

static bool
is_theirs(const struct tunnel_end *e, uint32_t address, int sgw)
{
    return (e->owner && ue_ip(e->owner) == address && sgw >= 0
            && e->owner->sgws & 1u << sgw);
}

/* The UE that has asked is where it was then, and its address is another one's
 * as well. */
static bool
is_namesakes(const struct tunnel_end *e, const struct model_payload *asked)
{
    for (int i = 0; i < MAX_UES; i++) {
        if (ues[i].used && ues[i].gen == asked->gen) {
            return e->owner != &ues[i] && asked->seq > ues[i].seq;
        }
    }
    return false;
}

static bool
was_under_way(const struct tunnel_end *e, uint32_t address, int sgw)
{
    if (e->last_address != address || e->last_sgw != sgw
        || world_now - e->changed > world_config.flight_us) {
        return false;
    }
    world_stats.in_flight++;
    if (world_now - e->changed > world_stats.max_in_flight_us) {
        world_stats.max_in_flight_us = world_now - e->changed;
    }
    return true;
}

static void
answer_at_enb(const struct model_packet *p, int enb)
{
    struct tunnel_end *e = &downs[enb][p->teid % N_TEIDS];
    char what[200];

    bool spoofed = p->payload.mark == MODEL_SPOOFED;

    if (p->teid < N_TEIDS && e->owner) {
        e->owner->traffic = world_now;
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
        answered_by_app(e->owner, p);
    } else if (is_theirs(e, p->inner_dst, p->payload.sgw)
               && !is_namesakes(e, &p->payload)) {
        world_stats.next_holder++;
    } else {
        if (!was_under_way(e, p->inner_dst, p->payload.sgw)) {
            snprintf(what, sizeof what, "answer to ue %u (%x, sgw %u) in the "
                     "tunnel %d/%u of ue %u (%x, sgw %d) since %"PRId64" us, "
                     "given up by %x at sgw %d %s %"PRId64" us ago",
                     p->payload.gen, p->inner_dst, p->payload.sgw, enb,
                     p->teid, e->owner->gen, ue_ip(e->owner), e->owner->sgw,
                     world_now - e->changed, e->last_address, e->last_sgw,
                     e->marked ? "with an End Marker" : "in silence",
                     world_now - e->left);
            violation(what);
        }
    }
}

void
world_at_enb(const uint8_t *ip, size_t len, int64_t now)
{
    struct model_packet p;
    int enb = read_gpdu(ip, len, now, &p) ? enb_of(p.dst) : -1;

    if (enb < 0) {
        return;
    } else if (p.is_echo_reply && p.inner_src == world_config.target) {
        say("a reply to the Pinger leaks");
        world_stats.leaked++;
    } else if (p.payload.mark == MODEL_ASKED
               || p.payload.mark == MODEL_SPOOFED) {
        answer_at_enb(&p, enb);
    }
}

bool
world_may_use(uint32_t enb_, uint32_t teid, uint32_t ue, uint32_t sgw_,
              uint32_t up, int64_t now)
{
    int enb = enb_of(enb_), sgw = sgw_of(sgw_);
    const struct ue *owner = (sgw >= 0 && up < N_TEIDS ? ups[sgw][up].owner
                              : NULL);
    struct tunnel_end *e;

    world_now = now;
    if (enb < 0 || teid >= N_TEIDS || !downs[enb][teid].owner) {
        return true;
    }
    e = &downs[enb][teid];
    if ((is_theirs(e, ue, sgw)
         && (!owner || owner == e->owner || ue_ip(owner) != ue))
        || was_under_way(e, ue, sgw)) {
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
world_print_stats(FILE *f)
{
    const struct world_stats *s = &world_stats;

    fprintf(f, "# seed %"PRIu64": %"PRIu64" events: %"PRIu64" attaches, %"
            PRIu64" releases, %"PRIu64" X2 handovers, %"PRIu64
            " S1 handovers, %"PRIu64" S1 releases, %"PRIu64" pages, %"PRIu64
            " silences\n", world_config.seed, s->events, s->attaches,
            s->releases, s->x2, s->s1, s->s1_releases, s->pages, s->silences);
    fprintf(f, "# %"PRIu64" spoofs, %"PRIu64" end markers, %"PRIu64
            " error indications, %"PRIu64" downlink tunnels changed hands, %"
            PRIu64" attaches with another UE's address\n",
            s->spoofs, s->markers, s->errors_sent, s->reused_down,
            s->namesakes);
    fprintf(f, "# service: %"PRIu64" asked, %"PRIu64" answered, %"PRIu64
            " switched; answers: %"PRIu64" to the address's next holder, %"
            PRIu64" to spoofed ones, %"PRIu64" into dead tunnels, %"PRIu64
            " in flight (%.1f ms at most)\n", s->asked,
            s->answered, s->switched, s->next_holder, s->spoofed_answers,
            s->dead_down, s->in_flight, s->max_in_flight_us / 1e3);
    fprintf(f, "# connections: %"PRIu64" leaks, %"PRIu64" torn\n",
            s->leaks, s->torn);
    fprintf(f, "# pinger: %"PRIu64" pings, %"PRIu64" replies, %"PRIu64
            " by an old path, %"PRIu64" pings into dead tunnels, %"PRIu64
            " into others' that were not seen, %"PRIu64" replies leaked\n",
            s->pings, s->replies, s->old_path_replies, s->dead_up,
            s->blind_pings, s->leaked);
    fprintf(f, "# violations: %"PRIu64"\n", s->violations);
}
