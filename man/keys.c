/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Copies a manual page from standard input to standard output, and writes anew
 * what the table of keys says in it: after ".It Ic PATH", the kind, range and
 * default of that key, and its line of help below.  What follows is left as it
 * is.  "make manual" does it; "make check" requires that it changes nothing.
 *
 * Fails if the page has a key that the table has not, or the other way. */

#include <stdlib.h>
#include <string.h>

#include "conf/conf_keys.h"
#include "conf/conf_value.h"

static const struct conf_key *
find_key(const char *path)
{
    for (size_t i = 0; i < conf_n_keys; i++) {
        if (!strcmp(conf_keys[i].path, path)) {
            return &conf_keys[i];
        }
    }
    fprintf(stderr, "%s: no such key\n", path);
    exit(1);
}

static void
write_key(const struct conf_key *key)
{
    static const char *const shapes[][2] = {
        [CONF_SINGLE] = { "", "" },
        [CONF_MANY] = { "list of ", "s" },
        [CONF_ONE_OR_MANY] = { "one ", " or a list" },
    };

    printf(".It Ic %s Pq %s", key->path, shapes[key->shape][0]);
    if (key->kind->name) {
        fputs(key->kind->name, stdout);
    } else {
        conf_key_print_range(key, stdout);
    }
    fputs(shapes[key->shape][1], stdout);
    if (key->def) {
        printf("; %s%s", key->def == CONF_REQUIRED ? "" : "default ",
               key->def);
    }
    printf("\n%s\n", key->help);
}

int
main(void)
{
    bool *seen = calloc(conf_n_keys, sizeof *seen);
    bool is_help = false;
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        char path[256];

        if (sscanf(line, ".It Ic %255s", path) == 1) {
            const struct conf_key *key = find_key(path);

            write_key(key);
            seen[key - conf_keys] = true;
            is_help = true;
            continue;
        }
        if (!is_help || *line == '.') {
            fputs(line, stdout);
        }
        is_help = false;
    }
    for (size_t i = 0; i < conf_n_keys; i++) {
        if (!seen[i]) {
            fprintf(stderr, "%s: not in the manual\n", conf_keys[i].path);
            return 1;
        }
    }
    free(seen);
    free(line);
    return fflush(stdout) ? 1 : 0;
}
