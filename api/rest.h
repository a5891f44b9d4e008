/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_REST_H
#define TOF_API_REST_H 1

/* The REST API's HTTP server, a part of the main loop.
 *
 * Place in the flow: tofd.c starts it last and calls rest_run() and
 * rest_wait() in every turn.  Each takes a bounded time. */

struct conf;

/* Whether the files that 'conf' names for the API, token, certificate and key,
 * are what they should be.  Returns as rest_init() does. */
int rest_check(const struct conf *conf, char **error);

/* Starts to listen where 'conf' says.  Returns 0, or a positive errno value
 * with '*error' set to a malloc'd sentence that names the key at fault. */
int rest_init(const struct conf *conf, char **error);

/* Reads the files of 'conf', which is the one that was given to rest_init(),
 * anew.  From now on requests need the token that is there now, and
 * connections are made with the certificate that is; those that are open are
 * closed if there is another certificate.  Returns as rest_init() does; then
 * all is as before. */
int rest_reload(const struct conf *conf, char **error);
void rest_run(void);
void rest_wait(void);

/* Closes everything.  A service_*() request under way may still call back
 * afterwards. */
void rest_destroy(void);

#endif /* api/rest.h */
