/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The page for people: see web.h.
 *
 * A browser is told to trust nothing but these files: no script and no style
 * but theirs, not even within a page, and nobody's frame around it.  So what
 * packets or other people bring into a page stays text. */

#include <config.h>

#include "api/web.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#include "api/exchange.h"
#include "hash.h"
#include "util.h"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

/* A browser that has a file asks whether that is still the same. */
static bool
is_known(struct exchange *x, const struct web_file *f)
{
    char etag[sizeof "\"0123456789abcdef\""];

    snprintf(etag, sizeof etag, "\"%08"PRIx32"%08"PRIxSIZE"\"",
             hash_bytes(f->data, f->len, 0), f->len);
    smap_replace(&x->headers, "Cache-Control", "no-cache");
    return exchange_etag(x, etag);
}

static void
answer(struct exchange *x, const char *name)
{
    const struct web_file *f = web_files;

    while (f->name && strcmp(f->name, name)) {
        f++;
    }
    if (!f->name) {
        exchange_problem(x, MHD_HTTP_NOT_FOUND, "There is no %s.", x->path);
        return;
    }
    if (is_known(x, f)) {
        return;
    }
    smap_add(&x->headers, "Content-Security-Policy", policy);
    smap_add(&x->headers, "X-Content-Type-Options", "nosniff");
    smap_add(&x->headers, "Referrer-Policy", "no-referrer");
    ds_put_buffer(&x->answer, f->data, f->len);
    exchange_ok(x, f->type);
}

void
web_page(struct exchange *x)
{
    answer(x, "index.html");
}

void
web_docs(struct exchange *x)
{
    answer(x, "docs.html");
}

void
web_file(struct exchange *x)
{
    answer(x, x->key);
}
