/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_SESSIONS_H
#define TOF_CTL_SESSIONS_H 1

/* The list of sessions, all its pages.
 *
 * Place in the flow: between commands that show sessions and http.c. */

struct json_t;

/* Which sessions to list; NULL: all. */
struct filters {
    const char *state, *enb, *sgw;
};
extern struct filters filters;

/* Those of 'ue', NULL: of all UEs, that pass 'filters'.  The caller owns the
 * array. */
struct json_t *sessions_get(const char *ue);

#endif /* ctl/sessions.h */
