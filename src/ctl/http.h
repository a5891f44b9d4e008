/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TOFCTL_HTTP_H
#define TOF_TOFCTL_HTTP_H 1

/* tofctl's requests to a TOF.
 *
 * Place in the flow: main() in tofctl.c says where the API is and what opens
 * it; a command then makes its requests.  What goes wrong ends the program,
 * with a status of tofctl(8) and a sentence on standard error; but for
 * http_try(), whose caller has something to say or to do first. */

#include <stddef.h>
#include <stdio.h>

struct json_t;

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_CONNECT = 3 };

void die(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#define HTTP_DEFAULT_URL "http://127.0.0.1:8080"
#define HTTP_CURSOR_MAX 64

/* 'url' may be "unix:PATH", and end with slashes; it must stay there. */
void http_init(void);
void http_set_url(const char *url);
void http_set_ca_file(const char *file);
void http_read_token(const char *file);
void http_destroy(void);

struct answer {
    long status;
    char *text;                 /* Null-terminated. */
    size_t len;
    char cursor[HTTP_CURSOR_MAX];       /* X-Next-Cursor, or "". */
    FILE *to;                   /* Gets the body instead of 'text', if the
                                 * status is 200; NULL: none. */
};

struct http_call {
    const char *method, *path;
    const char *type;           /* Of 'body'; NULL: it is JSON. */
    const void *body;           /* NULL: none. */
    size_t len;                 /* Of 'body'. */
    FILE *to;                   /* For the answer. */
};

/* Does what the API calls so.  Returns 0, or a status to exit with, and then
 * answer->text says why.  The caller frees that in any case. */
int http_try(const struct http_call *, struct answer *);

/* The same, with a text as body, or NULL.  Returns only if it has been
 * done. */
void http_request(const char *method, const char *path, const char *body,
                  struct answer *);

/* The value that the answer is.  The caller owns it. */
struct json_t *http_parse(const struct answer *);

/* GETs 'path'.  The caller owns what it returns. */
struct json_t *http_get(const char *path);

/* Returns "PREFIX/WORD", with the word percent-encoded.  The caller frees
 * it. */
char *http_path(const char *prefix, const char *word);

/* Adds "&NAME=VALUE" to '*path', which it may move, unless 'value' is NULL. */
void http_add_parameter(char **path, const char *name, const char *value);

#endif /* ctl/http.h */
