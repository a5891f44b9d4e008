/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The page for people: see web.h.
 *
 * A browser is told to trust nothing but these files: no script and no style
 * but theirs, not even within a page, and nobody's frame around it.  So what
 * packets or other people bring into a page stays text. */

#include <config.h>

#include "api/web.h"

#include <microhttpd.h>
#include <string.h>

#include "api/exchange.h"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

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
