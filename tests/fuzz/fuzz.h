/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_FUZZ_H
#define TOF_FUZZ_H 1

/* What targets need that stand on Open vSwitch's library: silence, since each
 * input would be logged about, and a directory in memory. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "openvswitch/vlog.h"

static char fuzz_dir[] = "/dev/shm/tof-fuzz.XXXXXX";
static char fuzz_file[64];      /* The one file in it, or socket. */

static inline void
fuzz_be_quiet(void)
{
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
}

static inline void
fuzz_remove(void)
{
    unlink(fuzz_file);
    rmdir(fuzz_dir);
}

/* Makes the directory, once; it goes with this process. */
static inline void
fuzz_make_dir(const char *file)
{
    if (!fuzz_file[0]) {
        if (!mkdtemp(fuzz_dir)) {
            perror(fuzz_dir);
            exit(1);
        }
        snprintf(fuzz_file, sizeof fuzz_file, "%s/%s", fuzz_dir, file);
        atexit(fuzz_remove);
    }
}

/* For a write of all. */
static inline void
fuzz_write(int fd, const void *data, size_t size)
{
    if (write(fd, data, size) != (ssize_t) size) {
        perror(fuzz_file);
        exit(1);
    }
}

#endif /* fuzz.h */
