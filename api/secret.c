/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tokens, keys and certificates: see secret.h. */

#include <config.h>

#include "api/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define SECRET_MAX (64 * 1024)

int
secret_read(const char *key, const char *file, char **textp, char **error)
{
    char *text;
    size_t n;

    if (!file) {
        return 0;
    }

    FILE *stream = fopen(file, "re");
    if (!stream) {
        int retval = errno;

        *error = xasprintf("%s: %s: %s", key, file, ovs_strerror(retval));
        return retval;
    }
    text = xzalloc(SECRET_MAX);
    n = fread(text, 1, SECRET_MAX - 1, stream);
    fclose(stream);
    while (n && strchr(" \t\r\n", text[n - 1])) {
        text[--n] = '\0';
    }
    if (!n) {
        *error = xasprintf("%s: %s: has no text", key, file);
        free(text);
        return EINVAL;
    }
    *textp = text;
    return 0;
}

bool
secret_equals(const char *secret, const char *text)
{
    size_t len = strlen(text), secret_len = strlen(secret);
    unsigned int diff = len != secret_len;

    for (size_t i = 0; i < len; i++) {
        diff |= text[i] ^ secret[i % secret_len];
    }
    return !diff;
}
