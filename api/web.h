/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_API_WEB_H
#define TOF_API_WEB_H 1

/* The page for people: files that are in the program.
 *
 * Place in the flow: scripts/files-to-c makes web_files.c of web/ and of what
 * is generated; routes.c gives them out.  They say nothing of this TOF, so they
 * need no token: what they show the browser asks the API for. */

#include <stddef.h>

struct exchange;

struct web_file {
    const char *name;
    const char *type;           /* Media type. */
    const char *data;
    size_t len;
};

/* Generated; the last one has no name. */
extern const struct web_file web_files[];

void web_page(struct exchange *);       /* "/" */
void web_docs(struct exchange *);       /* "/docs" */
void web_file(struct exchange *);       /* "/web/KEY" */

#endif /* api/web.h */
