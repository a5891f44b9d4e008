/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TOFCTL_EXPORT_H
#define TOF_TOFCTL_EXPORT_H 1

/* tofctl's commands for the session table as a whole.
 *
 * Place in the flow: rows of 'commands' in commands.c.  Each takes a list of at
 * most one file's name, up to a NULL; none, or "-", is standard output or
 * input. */

void export_sessions(char *args[]);
void import_sessions(char *args[]);

#endif /* ctl/export.h */
