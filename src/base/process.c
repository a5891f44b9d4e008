/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Metrics of the process: see process.h.
 *
 * Place in the flow: the REST API's /metrics asks; the kernel is read each
 * time.  Its descriptors are in descriptors.c. */

#include <config.h>

#include "base/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "openvswitch/dynamic-string.h"

static void
put(struct ds *s, const char *name, const char *type, const char *help,
    double value)
{
    ds_put_format(s, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help,
                  name, type, name, value);
}

/* From proc(5): /proc/self/stat.  The name, in parentheses, may be anything. */
static void
put_stat(struct ds *s)
{
    const double ticks = sysconf(_SC_CLK_TCK);
    unsigned long long int utime, stime, started, vsize;
    char text[1024], *rest = NULL;
    FILE *f = fopen("/proc/self/stat", "re");
    long long int rss;

    if (f) {
        rest = fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;
        fclose(f);
    }
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                        "%llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %lld",
                        &utime, &stime, &started, &vsize, &rss) != 5) {
        return;
    }
    put(s, "process_cpu_seconds_total", "counter",
        "Processor time of tofd, in seconds.", (utime + stime) / ticks);
    put(s, "process_start_time_seconds", "gauge",
        "When the process was started, in seconds since 1970.",
        (clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME)) / 1e9
        + started / ticks);
    put(s, "process_virtual_memory_bytes", "gauge",
        "Size of tofd's address space, in bytes.", vsize);
    put(s, "process_resident_memory_bytes", "gauge",
        "Memory of tofd, in bytes.",
        (double) rss * sysconf(_SC_PAGESIZE));
}

void
process_put_metrics(struct ds *s)
{
    ds_put_cstr(s, "# HELP tof_build_info Which program this is.\n"
                "# TYPE tof_build_info gauge\n"
                "tof_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    put_stat(s);
}
