/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NETTEST_H
#define TOF_NETTEST_H 1

/* What test_nft.c and test_rtnl.c share.  Included by one file a program. */

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enters a network namespace of the program's own, which ends with it. */
static inline bool
own_namespace(void)
{
    if (geteuid() || unshare(CLONE_NEWNET)) {
        printf("1..0 # SKIP needs root\n");
        return false;
    }
    return true;
}

/* What a command prints; to be freed. */
static inline char *
output_of(const char *command)
{
    FILE *f = popen(command, "r");
    char *s = calloc(1, 1 << 18);

    if (f) {
        if (!fread(s, 1, (1 << 18) - 1, f)) {
            *s = '\0';
        }
        pclose(f);
    }
    return s;
}

/* True if 'text' contains all of the strings that follow, up to NULL. */
static inline bool
contains(const char *text, const char *const strings[])
{
    for (; *strings; strings++) {
        if (!strstr(text, *strings)) {
            printf("# no \"%s\" in:\n# %s\n", *strings, text);
            return false;
        }
    }
    return true;
}

#endif /* nettest.h */
