/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_COMMANDS_H
#define TOF_CTL_COMMANDS_H 1

/* What each command of tofctl does: makes one request, or several for a list
 * that comes by pages, by way of http.c, and shows the answer by way of
 * table.c.
 *
 * Place in the flow: tofctl.c finds the row that the command line names, and
 * runs it. */

#include <stddef.h>

struct command {
    const char *name;
    const char *args;           /* As the user reads them, after a space. */
    int min, max;               /* How many there may be. */
    void (*run)(char *args[]);
    const char *help;           /* A line. */
};

extern const struct command commands[];
extern const size_t n_commands;

#endif /* ctl/commands.h */
