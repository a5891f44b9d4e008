/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_HUMAN_H
#define TOF_CTL_HUMAN_H 1

/* What people read: numbers with three digits or so, and colours.
 *
 * Place in the flow: commands put into tables and lines what these give.  JSON
 * has the numbers themselves.  Texts stay good for the next 15 calls. */

struct json_t;

/* "0.4", "950", "12.3k", "4.5M": of a rate. */
const char *human_number(double value);

/* "0.4s", "12s", "3m20s", "2h05m", "3d04h"; "-" of a member that is none. */
const char *human_age(const struct json_t *object, const char *member);

/* What begins and ends a text in the colour of a verdict or a state ("ok",
 * "wrong", "open", "degraded"); "" if the output is no terminal, or NO_COLOR
 * is set. */
const char *human_colour(const char *verdict);
const char *human_colour_end(void);

/* On a terminal: what comes next begins at its top. */
void human_clear(void);

#endif /* ctl/human.h */
