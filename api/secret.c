/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tokens, keys and certificates: see secret.h. */

#include <config.h>

#include "api/secret.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SECRET_MAX (64 * 1024)
#define TOKEN_MAX 4096          /* tofctl takes no longer one either. */

/* Reads 'file', without white space at its end, to a malloc'd '*textp'.
 * Returns NULL, or what is wrong, which is valid until the next call. */
static const char *
read_text(const char *file, char **textp)
{
    FILE *stream = fopen(file, "re");
    char *text;
    size_t n;
    int error;

    *textp = NULL;
    if (!stream) {
        return ovs_strerror(errno);
    }
    text = *textp = xzalloc(SECRET_MAX + 1);
    n = fread(text, 1, SECRET_MAX, stream);
    error = ferror(stream) ? errno : 0;
    fclose(stream);
    if (error) {
        return ovs_strerror(error);
    } else if (n == SECRET_MAX) {
        return "is too long";
    } else if (memchr(text, '\0', n)) {
        return "has a NUL byte";
    }
    while (n && strchr(" \t\r\n", text[n - 1])) {
        text[--n] = '\0';
    }
    return n ? NULL : "has no text";
}

/* What keeps a text from being sent as a token, or NULL. */
static const char *
token_problem(const char *token)
{
    if (strlen(token) > TOKEN_MAX) {
        return "is too long for a token";
    } else if (token[0] == ' ') {
        return "begins with a space";
    }
    for (; *token; token++) {
        if ((uint8_t) *token < ' ' || *token == 0x7f) {
            return "is no token, which is one line of printable characters";
        }
    }
    return NULL;
}

static int
read_secret(const char *key, const char *file, bool is_token, char **textp,
            char **error)
{
    const char *problem;
    char *text;

    if (!file) {
        return 0;
    }
    problem = read_text(file, &text);
    if (!problem && is_token) {
        problem = token_problem(text);
    }
    if (problem) {
        *error = xasprintf("%s: %s: %s", key, file, problem);
        free(text);
        return EINVAL;
    }
    *textp = text;
    return 0;
}

int
secret_read(const char *key, const char *file, char **textp, char **error)
{
    return read_secret(key, file, false, textp, error);
}

int
secret_read_token(const char *key, const char *file, char **textp,
                  char **error)
{
    return read_secret(key, file, true, textp, error);
}

bool
secret_equals(const char *secret, const char *text)
{
    size_t len = strlen(text), secret_len = strlen(secret);
    unsigned int diff = len != secret_len;

    for (size_t i = 0; i < len; i++) {
        diff |= text[i] ^ secret[i % (secret_len + 1)];
    }
    return !diff;
}
