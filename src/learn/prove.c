/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Proofs of bearers: see prove.h. */

#include <config.h>

#include "learn/prove.h"

#include <errno.h>

#include "base/status.h"
#include "conf/conf.h"
#include "gtp/endpoint.h"
#include "learn/pinger.h"
#include "openvswitch/vlog.h"
#include "session/session.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(prove);

#define SILENT_BEARERS 3
#define SILENT_MS 10000

static const struct endpoint_class *endpoint;
static long long int evidence_ms, good_ms;
static bool observed;                   /* "pairing: observed". */

static int
ping(uint32_t id, const void *ip, size_t len)
{
    const struct bearer *b = session_bearer_by_id(id);

    if (!b) {
        return ENOENT;
    }
    struct endpoint_bearer eb = bearer_describe(b);
    return endpoint->send_up(&eb, ip, len);
}

/* Bearers that were asked for in vain since the last reply for any. */
static unsigned int n_unanswered;
static long long int unanswered_since;

static void
ping_failed(uint32_t id)
{
    VLOG_DBG("bearer %08"PRIx32": no reply to the Pinger", id);
    if (!n_unanswered++) {
        unanswered_since = time_msec();
    }
}

/* One UE that is not answered has left, or has no way to the targets. */
static bool
targets_are_silent(long long int now)
{
    if (pinger_last_reply() >= unanswered_since) {
        n_unanswered = 0;
    }
    return (n_unanswered >= SILENT_BEARERS
            && now - unanswered_since >= SILENT_MS);
}

void
prove_report(long long int now)
{
    bool v4 = pinger_has_target(AF_INET), v6 = pinger_has_target(AF_INET6);

    if (targets_are_silent(now)) {
        status_set(STATUS_PINGER, false, "no target answers, though %d bearers "
                   "or more were pinged: nothing new is diverted",
                   SILENT_BEARERS);
        return;
    }
    status_set(STATUS_PINGER, v4 || v6, "%s",
               v4 && v6 ? "targets for IPv4 and IPv6"
               : v4 ? "ready; no IPv6 target: a UE's IPv6 is proved only "
                      "with its IPv4 in the same tunnel"
               : v6 ? "ready; no IPv4 target: a UE's IPv4 is proved only "
                      "with its IPv6 in the same tunnel"
               : "no targets: no bearer is ever proved");
}

void
prove_init(const struct conf *conf, const struct endpoint_class *endpoint_,
           long long int read_ms)
{
    endpoint = endpoint_;
    evidence_ms = conf->sessions.evidence_seconds * 1000ll;
    good_ms = evidence_ms - read_ms;
    observed = conf->pinger.pairing == PAIRING_OBSERVED;
    pinger_init(conf, ping, ping_failed);
    prove_report(time_msec());
}

void
prove_destroy(void)
{
    pinger_destroy();
}

long long int
prove_since(const struct bearer *b)
{
    const long long int proved = bearer_proved(b);

    return proved != LLONG_MIN ? proved : (b->created_s + 1) * 1000ll;
}

long long int
prove_end(const struct bearer *b)
{
    return prove_since(b) + good_ms;
}

bool
prove_is_fresh(const struct bearer *b, long long int now)
{
    return bearer_proved(b) != LLONG_MIN && now < prove_end(b);
}

bool
prove_is_good(const struct bearer *b, long long int now)
{
    return (prove_is_fresh(b, now)
            || (b->state == BEARER_ESTABLISHED && b->judged == LLONG_MIN
                && bearer_is_diverted(b) && now < prove_end(b)));
}

/* Whether 's' has a proved bearer that is not of the UE of 'witness'. */
static bool
is_others(const struct session *s, const struct bearer *witness)
{
    const struct bearer *b;

    SESSION_FOR_EACH_BEARER (b, s) {
        const struct bearer *pair = session_dual_stack(b);

        if (b->state == BEARER_ESTABLISHED
            && (!pair || pair->session != witness->session)) {
            return true;
        }
    }
    return false;
}

/* Whether 'witness', which has targets of its family, vouches for 'b', the
 * other one of its dual-stack pair, which has none.  Not if another UE has the
 * same address already: one of them forges it. */
static bool
vouches(const struct bearer *witness, const struct bearer *b)
{
    const struct session *s = NULL;
    bool others = (!pinger_has_target(bearer_family(witness))
                   || pinger_has_target(bearer_family(b))
                   || is_others(b->session, witness));

    while (!others && (s = session_next_namesake(b->session, s))) {
        others = is_others(s, witness);
    }
    return !others;
}

/* The bearer that must be proved so that 'b' is; NULL if there is none. */
static const struct bearer *
find_witness(const struct bearer *b)
{
    const struct bearer *pair;

    if (pinger_has_target(bearer_family(b))) {
        return b;
    }
    pair = session_dual_stack(b);
    return pair && vouches(pair, b) ? pair : NULL;
}

bool
prove_is_possible(const struct bearer *b)
{
    return find_witness(b) != NULL;
}

void
prove_ask(const struct bearer *b, bool urgent)
{
    const struct bearer *witness = find_witness(b);

    if (witness) {
        pinger_ask(witness->id, &witness->session->ue, urgent);
    }
}

void
prove_ask_on(const struct bearer *b)
{
    const struct bearer *witness = find_witness(b);

    if (witness) {
        pinger_ask_on(witness->id, &witness->session->ue);
    }
}

void
prove_again(const struct bearer *b, long long int now)
{
    if (now - prove_since(b) > evidence_ms / 2) {
        prove_ask(b, false);
    }
}

struct bearer *
prove_vouched(const struct bearer *b)
{
    struct bearer *pair = session_dual_stack(b);

    return pair && vouches(b, pair) ? pair : NULL;
}

bool
prove_is_direct(sa_family_t family)
{
    return observed || pinger_has_target(family);
}
