/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How many descriptors are left: see descriptors.h.
 *
 * The kernel gives out the lowest number that is free.  So a number far below
 * the limit says that there are more; and if there should be free ones beyond
 * a high number, a few connections less are let in than might be. */

#include <config.h>

#include "base/descriptors.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/metrics.h"
#include "util.h"

#define LIMIT 65536             /* As the unit has it. */
#define RESERVE 64

static uint64_t
get_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : limit.rlim_cur;
}

/* But those by which they are counted. */
static uint64_t
count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!dir) {
        return get_limit();
    }
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n - 3;               /* ".", ".." and the directory. */
}

METRIC_GAUGE(n_open, "tof_descriptors", "",
             "File descriptors that tofd has.", count);
METRIC_GAUGE(n_max, "tof_descriptors_max", "",
             "File descriptors that tofd may have.", get_limit);

void
descriptors_raise_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < LIMIT) {
        limit.rlim_cur = MIN(limit.rlim_max, LIMIT);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool
descriptors_are_scarce(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 || (uint64_t) fd + RESERVE >= get_limit();
}
