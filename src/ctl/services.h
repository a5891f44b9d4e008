/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_SERVICES_H
#define TOF_CTL_SERVICES_H 1

/* The service that a command line spells.
 *
 * Place in the flow: tofctl.c notes options here; commands.c sends what this
 * makes of them and of a command's words. */

struct json_t;

/* What options say of it; NULL: nothing, so that it is as usual. */
struct service_options {
    const char *on_failure;
    const char *health;         /* Members, as in "http=/ready,port=80". */
};
extern struct service_options service_options;

/* 'words' are its name, service IP, application IP (or several, as in
 * "192.168.100.10=3,192.168.100.11") and functions, and end with NULL.  The
 * API checks what they mean.  The caller owns the object; NULL: some
 * are no UTF-8. */
struct json_t *service_spell(char *words[]);

#endif /* ctl/services.h */
