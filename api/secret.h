/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_SECRET_H
#define TOF_API_SECRET_H 1

/* Tokens, keys and certificates.
 *
 * Place in the flow: rest.c reads them when it starts, and holds what clients
 * send against the token. */

#include <stdbool.h>

/* Reads the text file that the configuration names at 'key' (none if
 * 'file' is NULL) to a malloc'd '*textp', without white space at its end.
 * Returns 0, or a positive errno value with '*error' set to a malloc'd
 * sentence: also if it is empty, has a NUL byte, or 64 KiB. */
int secret_read(const char *key, const char *file, char **textp,
                char **error);

/* The same for a token, which has to be one line of at most 4096 printable
 * characters. */
int secret_read_token(const char *key, const char *file, char **textp,
                      char **error);

/* Compares in a time that depends on nothing but the length of both, which may
 * be 0. */
bool secret_equals(const char *secret, const char *text);

#endif /* api/secret.h */
