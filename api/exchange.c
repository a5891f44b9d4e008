/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One HTTP request and its answer: see exchange.h for its life.
 *
 * Place in the flow: between rest.c, which moves bytes, and routes.c, which
 * decides what they mean.  Requests are kept as they were sent and decoded
 * here, piece by piece, so that an encoded '/' or '&' is never taken for a
 * separator and bad encoding is an error instead of a guess. */

#include <config.h>

#include "api/exchange.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/view.h"
#include "base/jsontext.h"
#include "openvswitch/util.h"
#include "util.h"

void
exchange_init(struct exchange *x, const char *target)
{
    const char *authority = strstr(target, "://");

    if (target[0] != '/' && authority) {
        const char *path = strchr(authority + 3, '/');
        target = path ? path : "/";
    }

    size_t len = strcspn(target, "?");

    *x = (struct exchange) {
        .path = xmemdup0(target, len),
        .query = target[len] ? xstrdup(target + len + 1) : NULL,
        .body = DS_EMPTY_INITIALIZER,
        .answer = DS_EMPTY_INITIALIZER,
    };
    smap_init(&x->headers);
}

void
exchange_uninit(struct exchange *x)
{
    if (x->step_free) {
        x->step_free(x->step_aux);
    }
    smap_destroy(&x->headers);
    ds_destroy(&x->answer);
    ds_destroy(&x->body);
    free(x->change);
    free(x->key);
    free(x->content_type);
    free(x->accept);
    free(x->if_match);
    free(x->if_none_match);
    free(x->query);
    free(x->path);
    free(x->method);
}

char *
exchange_decode(const char *s, size_t len)
{
    char *decoded = xmalloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char) s[i];

        if (c == '%') {
            bool ok = i + 2 < len;

            c = ok ? hexits_value(&s[i + 1], 2, &ok) : 0;
            if (!ok || !c) {
                free(decoded);
                return NULL;
            }
            i += 2;
        }
        decoded[n++] = c;
    }
    decoded[n] = '\0';
    return decoded;
}

int
exchange_query(const struct exchange *x, const char *name, char **valuep)
{
    size_t name_len = strlen(name);
    const char *p = x->query;
    char *value = NULL;

    while (p && *p) {
        size_t len = strcspn(p, "&");

        if (len > name_len && p[name_len] == '='
            && !strncmp(p, name, name_len)) {
            char *again = value;

            value = exchange_decode(p + name_len + 1, len - name_len - 1);
            if (again || !value) {
                free(again);
                free(value);
                *valuep = NULL;
                return EINVAL;
            }
        }
        p += len + (p[len] == '&');
    }
    if (value && !value[0]) {
        free(value);
        value = NULL;
    }
    *valuep = value;
    return 0;
}

void
exchange_ok(struct exchange *x, const char *type)
{
    x->status = MHD_HTTP_OK;
    x->type = type;
}

bool
exchange_etag(struct exchange *x, const char *etag)
{
    const bool known = accept_has_etag(x->if_none_match, etag, true);

    smap_replace(&x->headers, MHD_HTTP_HEADER_ETAG, etag);
    if (known) {
        x->status = MHD_HTTP_NOT_MODIFIED;
    }
    return known;
}

void
exchange_problem(struct exchange *x, unsigned int status,
                 const char *format, ...)
{
    va_list args;
    char *detail;

    va_start(args, format);
    detail = xvasprintf(format, args);
    va_end(args);
    x->status = status;
    x->type = "application/problem+json";
    ds_clear(&x->answer);
    jsontext_put(&x->answer,
                 view_problem(status, MHD_get_reason_phrase_for(status),
                              detail));
    ds_put_char(&x->answer, '\n');
    free(detail);
}

size_t
exchange_send(struct exchange *x, char *buf, size_t max)
{
    size_t n = MIN(max, x->answer.length - x->sent);

    if (n) {
        memcpy(buf, x->answer.string + x->sent, n);
        x->sent += n;
    }
    if (x->sent == x->answer.length) {
        ds_clear(&x->answer);
        x->sent = 0;
    }
    return n;
}

void
exchange_resume(struct exchange *x)
{
    x->owed = false;
    x->resume(x);
}
