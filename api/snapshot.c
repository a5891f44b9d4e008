/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The session table as a snapshot.
 *
 * Place in the flow: see snapshot.h.  Export is a walk (as in walk.c), whose
 * answer is sent part by part: a million bearers are 128 MB.  The table may
 * change meanwhile: what is there all the time is in the snapshot exactly
 * once.  Import takes as many as a body holds; what becomes of them is in
 * import.c. */

#include <config.h>

#include "api/snapshot.h"

#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/exchange.h"
#include "base/jsontext.h"
#include "persist/import.h"
#include "session/session.h"
#include "session/statelet.h"
#include "util.h"

/* A slice: this many looked at, or this many written out. */
#define SLICE_VISITS 4096
#define SLICE_RECORDS 256

static void
export_step(struct exchange *x)
{
    uint32_t *cursor = x->step_aux;     /* The last bearer looked at. */
    int n = 0;

    for (int i = 0; i < SLICE_VISITS && n < SLICE_RECORDS; i++) {
        const struct bearer *b = session_next_bearer(*cursor);
        struct statelet st;

        if (!b) {
            x->more = false;
            return;
        }
        *cursor = b->id;
        if (b->state != BEARER_EMBRYONIC) {
            session_to_statelet(b, &st);
            statelet_encode(&st, (uint8_t *) ds_put_uninit(&x->answer,
                                                           STATELET_LEN));
            n++;
        }
    }
}

void
snapshot_get(struct exchange *x)
{
    x->step = export_step;
    x->step_free = free;
    x->step_aux = xzalloc(sizeof(uint32_t));
    x->more = true;
    exchange_ok(x, EXCHANGE_STATELETS);
}

/* Decodes record 'i' of the body.  Answers if it is bad. */
static void
read_record(struct exchange *x, size_t i, struct statelet *st)
{
    const uint8_t *body = (const uint8_t *) x->body.string;
    const char *problem = (!statelet_decode(body + i * STATELET_LEN, st)
                           ? "is damaged, or of another format"
                           : import_problem(st));

    if (problem) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "Record %"PRIuSIZE" %s.",
                         i + 1, problem);
    }
}

void
snapshot_post(struct exchange *x)
{
    const size_t n = x->body.length / STATELET_LEN;
    struct statelet *records = xmalloc(MAX(1, n) * sizeof *records);
    size_t imported = 0;

    if (x->body.length % STATELET_LEN) {
        exchange_problem(x, MHD_HTTP_BAD_REQUEST, "Record %"PRIuSIZE
                         " is cut off: each has %d bytes.", n + 1,
                         STATELET_LEN);
    }
    for (size_t i = 0; i < n && !x->status; i++) {
        read_record(x, i, &records[i]);
    }
    if (!x->status) {
        for (size_t i = 0; i < n; i++) {
            imported += import_bearer(&records[i]);
        }
        jsontext_put(&x->answer,
                     json_pack("{sI sI}", "imported", (json_int_t) imported,
                               "refused", (json_int_t) (n - imported)));
        ds_put_char(&x->answer, '\n');
        exchange_ok(x, EXCHANGE_JSON);
    }
    free(records);
}
