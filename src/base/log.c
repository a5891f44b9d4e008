/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The log: see log.h. */

#include <config.h>

#include "base/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/secure.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "util.h"

static enum vlog_destination destination = VLF_CONSOLE;
static enum log_privacy privacy;

/* systemd tells which stream is its journal: sd_journal_stream_fd(3). */
static bool
is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long int device, inode;
    struct stat s;

    return (stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2
            && !fstat(fd, &s) && s.st_dev == device && s.st_ino == inode);
}

void
log_init(void)
{
    if (is_journal(STDERR_FILENO)) {
        destination = VLF_SYSLOG;
        vlog_set_pattern(VLF_SYSLOG, "%c%T: %m");
    }
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    vlog_set_levels(NULL, destination, VLL_INFO);
}

const char *
log_set_level(const char *name, const char *level_name)
{
    enum vlog_level level = vlog_get_level_val(level_name);
    struct vlog_module *module = vlog_module_from_name(name);

    if (level >= VLL_N_LEVELS) {
        return "the level must be emer, err, warn, info, dbg or off";
    } else if (!module && strcmp(name, "any")) {
        return "there is no such module";
    }
    vlog_set_levels(module, destination, level);
    return NULL;
}

/* As the user writes it.  Good until the next call. */
static const char *
level_name(const struct vlog_module *module)
{
    static char name[8];

    ovs_strlcpy(name, vlog_get_level_name(vlog_get_level(module,
                                                         destination)),
                sizeof name);
    for (char *p = name; *p; p++) {
        *p = tolower((unsigned char) *p);
    }
    return name;
}

void
log_for_each(void (*cb)(const char *module, const char *level, void *aux),
             void *aux)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    char *levels = vlog_get_levels();   /* A table, with a heading. */
    const char *line;
    size_t i;

    for (char *save, *s = strtok_r(levels, "\n", &save); s;
         s = strtok_r(NULL, "\n", &save)) {
        svec_add(&lines, s);
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        const struct vlog_module *module;
        char name[64];

        if (sscanf(line, "%63s", name) == 1
            && (module = vlog_module_from_name(name)) != NULL) {
            cb(name, level_name(module), aux);
        }
    }
    svec_destroy(&lines);
    free(levels);
}

void
log_set_privacy(enum log_privacy privacy_)
{
    privacy = privacy_;
}

const char *
log_ue(const struct in6_addr *ue)
{
    static char text[ADDR_UE_STRLEN + 4];
    const bool ipv4 = addr_family(ue) == AF_INET;
    struct in6_addr network = *ue;
    char buf[ADDR_UE_STRLEN];

    switch (privacy) {
    case LOG_AS_IT_IS:
        return addr_format_ue(ue, text);
    case LOG_SHORTENED:
        memset(network.s6_addr + (ipv4 ? 15 : 6), 0, ipv4 ? 1 : 10);
        snprintf(text, sizeof text, "%s/%d", addr_format(&network, buf),
                 ipv4 ? 24 : 48);
        return text;
    case LOG_HASHED:
        snprintf(text, sizeof text, "#%08"PRIx32, secure_table_hash(ue, 0));
        return text;
    default:
        OVS_NOT_REACHED();
    }
}
