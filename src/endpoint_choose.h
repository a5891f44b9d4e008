/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_ENDPOINT_CHOOSE_H
#define TOF_ENDPOINT_CHOOSE_H 1

/* Which tunnel endpoints. */

struct conf;
struct endpoint_class;

/* Sets '*endpoint' to the one that the configuration asks for; "auto" is the
 * faster one, if it works.  'datapath' of /status says which and why.  Returns
 * 0 or a positive errno value with '*what' (malloc'd). */
int endpoint_choose(const struct conf *,
                    const struct endpoint_class **endpoint, char **what);

#endif /* endpoint_choose.h */
