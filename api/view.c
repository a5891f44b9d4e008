/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the API shows of the TOF's state, as JSON.
 *
 * Place in the flow: routes.c and walk.c ask; session.c, service.c and
 * status.c are read, nothing is changed.  The member names are the contract
 * of swagger/tof.yaml: a change here is a change there.
 *
 * The text is written out at once instead of by way of a tree, because there
 * may be ten thousand sessions in an answer.  Names, addresses and identifiers
 * have no character that JSON escapes; free text goes through put_text(). */

#include <config.h>

#include "api/view.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/status.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "service/service.h"
#include "session/session.h"
#include "unicode.h"
#include "usage/usage.h"
#include "util.h"

/* Bytes of 'text' that are not ASCII become '?' if it is not UTF-8. */
static void
put_text(struct ds *s, const char *text)
{
    char *error = utf8_validate(text, NULL);
    char *copy = error ? xstrdup(text) : NULL;

    for (char *p = copy; p && *p; p++) {
        *p = *p & 0x80 ? '?' : *p;
    }
    json_string_escape(copy ? copy : text, s);
    free(copy);
    free(error);
}

static void
put_address(struct ds *s, const char *key, const struct in6_addr *addr)
{
    char text[INET6_ADDRSTRLEN];

    ds_put_format(s, "\"%s\":\"%s\"", key, addr_format(addr, text));
}

bool
view_id_from_string(const char *s, uint32_t *id)
{
    bool ok = strlen(s) == VIEW_ID_LEN;

    *id = ok ? hexits_value(s, VIEW_ID_LEN, &ok) : 0;
    return ok;
}

/* Sessions. */

static void
put_bearer(struct ds *s, const struct bearer *b)
{
    ds_put_format(s, "{\"id\":\"%08"PRIx32"\",\"uplink\":{", b->id);
    put_address(s, "enb", b->enb);
    ds_put_char(s, ',');
    put_address(s, "sgw", b->sgw);
    ds_put_format(s, ",\"teid\":%"PRIu32"},\"downlink\":", b->up_teid);
    if (b->down_known) {
        ds_put_char(s, '{');
        put_address(s, "sgw", b->down_sgw);
        ds_put_char(s, ',');
        put_address(s, "enb", b->down_enb);
        ds_put_format(s, ",\"teid\":%"PRIu32",\"qfi\":%d}",
                      b->down_teid, b->down_qfi & QFI_MASK);
    } else {
        ds_put_cstr(s, "null");
    }
    ds_put_format(s, ",\"proved\":%s}",
                  b->state == BEARER_ESTABLISHED ? "true" : "false");
}

/* Returns when the UE was last seen to be there, or the SGW to think so;
 * LLONG_MIN / 2 or less if never. */
static long long int
put_bearers(struct ds *s, const struct session *session,
            struct counters *sum)
{
    long long int seen = LLONG_MIN;
    const struct bearer *b;

    ds_put_char(s, '[');
    SESSION_FOR_EACH_BEARER (b, session) {
        put_bearer(s, b);
        ds_put_char(s, ',');
        seen = MAX(seen, MAX(b->heard, b->natural));
        if (b->state == BEARER_ESTABLISHED) {
            seen = MAX(seen, b->proved);
        }
        counters_add(sum, &bearer_use_get(b)->counters);
    }
    ds_chomp(s, ',');
    ds_put_char(s, ']');
    return seen;
}

static void
put_usage(const char *name, const struct in6_addr *service_ip,
          const struct counters *counters, void *s)
{
    ds_put_cstr(s, "{\"name\":");
    put_text(s, name);
    ds_put_char(s, ',');
    put_address(s, "serviceIP", service_ip);
    ds_put_char(s, ',');
    counters_put_json(s, counters);
    ds_put_cstr(s, "},");
}

void
view_session(struct ds *s, const struct session *session, long long int now)
{
    struct counters sum = { .packets_up = 0 };
    long long int seen;

    char ue[ADDR_UE_STRLEN];

    ds_put_format(s, "{\"id\":\"%08"PRIx32"\",\"ue\":\"%s\"", session->id,
                  addr_format_ue(&session->ue, ue));
    ds_put_format(s, ",\"state\":\"%s\",\"bearers\":",
                  bearer_state_name(session_state(session)));
    seen = put_bearers(s, session, &sum);
    if (seen <= LLONG_MIN / 2) {
        ds_put_cstr(s, ",\"evidenceAge\":null");
    } else {
        ds_put_format(s, ",\"evidenceAge\":%.3f",
                      MAX(now - seen, 0) / 1000.0);
    }
    ds_put_cstr(s, ",\"counters\":{");
    counters_put_json(s, &sum);
    ds_put_cstr(s, "},\"services\":[");
    usage_of_session(session->id, put_usage, s);
    ds_chomp(s, ',');
    ds_put_cstr(s, "]}");
}

void
view_peer(struct ds *s, const struct in6_addr *addr, bool enb,
          unsigned int bearers)
{
    ds_put_char(s, '{');
    put_address(s, "address", addr);
    ds_put_format(s, ",\"role\":\"%s\",\"bearers\":%u}",
                  enb ? "enb" : "sgw", bearers);
}

/* Services. */

void
view_service(struct ds *s, const struct service_spec *spec)
{
    ds_put_format(s, "{\"name\":\"%s\",", spec->name);
    put_address(s, "serviceIP", &spec->service_ip);
    ds_put_char(s, ',');
    put_address(s, "applicationIP", &spec->application_ip);
    if (spec->n_chain) {
        ds_put_cstr(s, ",\"chain\":[");
        for (size_t i = 0; i < spec->n_chain; i++) {
            ds_put_format(s, "%s\"%s\"", i ? "," : "", spec->chain[i]);
        }
        ds_put_char(s, ']');
    }
    ds_put_char(s, '}');
}

static void
put_service(const struct service_spec *spec,
            const struct counters *counters OVS_UNUSED, void *s)
{
    view_service(s, spec);
    ds_put_char(s, ',');
}

void
view_services(struct ds *s)
{
    ds_put_char(s, '[');
    service_for_each(put_service, s);
    ds_chomp(s, ',');
    ds_put_char(s, ']');
}

/* The TOF itself. */

static void
put_fact(const char *key, const char *value, void *s)
{
    put_text(s, key);
    ds_put_char(s, ':');
    put_text(s, value);
    ds_put_char(s, ',');
}

void
view_status(struct ds *s)
{
    ds_put_format(s, "{\"ready\":%s,\"parts\":[",
                  status_all_ready() ? "true" : "false");
    for (int part = 0; part < STATUS_N_PARTS; part++) {
        ds_put_format(s, "%s{\"name\":\"%s\",\"ready\":%s,\"detail\":",
                      part ? "," : "", status_name(part),
                      status_ready(part) ? "true" : "false");
        put_text(s, status_detail(part));
        ds_put_char(s, '}');
    }
    ds_put_cstr(s, "],\"facts\":{");
    status_facts(put_fact, s);
    ds_chomp(s, ',');
    ds_put_format(s, "},\"sessions\":%"PRIuSIZE",\"bearers\":{",
                  session_count());
    for (int state = BEARER_EMBRYONIC; state <= BEARER_STALE; state++) {
        ds_put_format(s, "%s\"%s\":%"PRIuSIZE,
                      state == BEARER_EMBRYONIC ? "" : ",",
                      bearer_state_name(state), session_bearer_count(state));
    }
    ds_put_cstr(s, "}}");
}

void
view_problem(struct ds *s, unsigned int status, const char *title,
             const char *detail)
{
    ds_put_format(s, "{\"type\":\"about:blank\",\"title\":\"%s\","
                  "\"status\":%u,\"detail\":", title, status);
    put_text(s, detail);
    ds_put_char(s, '}');
}
