/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_OVSTEST_H
#define TOF_OVSTEST_H 1

/* What the tests against a real Open vSwitch share.  Each is a program that
 * tests/tap/with-ovs runs: it drives a module of src/ovs/ or src/service/ with
 * a loop of its own and looks at the effect with OVS's tools.  Included by one
 * file a program, which defines pump(). */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fatal-signal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "../unit/tap.h"
#include "timeval.h"
#include "util.h"

/* x_run() of the modules under test, then x_wait(). */
static void pump_run(void);
static void pump_wait(void);

/* How much longer is waited for what has to come: see tofnet/wait.py. */
static inline int
patience(void)
{
    const char *times = getenv("TOF_TEST_PATIENCE");

    return times ? atoi(times) : 1;
}

/* Pumps until 'CONDITION' holds or 'MS' milliseconds are over. */
#define WAIT_FOR(MS, CONDITION)                                 \
    PUMP_FOR((MS) * patience(), CONDITION)
#define PUMP_FOR(MS, CONDITION)                                 \
    ({                                                          \
        long long int end__ = time_msec() + (MS);               \
        bool ok__;                                              \
                                                                \
        while (pump_run(), !(ok__ = (CONDITION))                \
               && time_msec() < end__) {                        \
            pump_wait();                                        \
            poll_timer_wait(10);                                \
            poll_block();                                       \
        }                                                       \
        ok__;                                                   \
    })

/* Pumps for 'ms' milliseconds. */
static inline void
pump_for(int ms)
{
    (void) PUMP_FOR(ms, false);
}

static inline const char *
need_env(const char *name)
{
    const char *value = getenv(name);

    if (!value) {
        fprintf(stderr, "%s is not set: run this with tests/tap/with-ovs\n",
                name);
        exit(77);
    }
    return value;
}

/* Runs a shell command with OVS's tools in the path.  Returns its output,
 * which is good until the next call. */
static inline const char * __attribute__((format(printf, 1, 2)))
sh(const char *format, ...)
{
    static char out[1 << 20];
    char command[4096];
    va_list args;
    size_t n;
    FILE *f;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    f = popen(command, "r");
    n = f ? fread(out, 1, sizeof out - 1, f) : 0;
    out[n] = '\0';
    if (!f || pclose(f)) {
        tap_diag("failed: %s", command);
    }
    return out;
}

/* The same, for a command that prints a number. */
#define SH_NUMBER(...) atoi(sh(__VA_ARGS__))

/* To be called first. */
static inline void
ovstest_init(const char *program)
{
    char *path = xasprintf("%s/bin:%s", need_env("TOF_OVS_DIR"),
                           getenv("PATH"));
    char *rundir = xasprintf("%s/ovs", need_env("TOF_RUN_DIR"));

    need_env("TOF_OVS");
    set_program_name(program);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_SYSLOG, VLL_OFF);
    vlog_set_levels(NULL, VLF_CONSOLE, getenv("V") ? VLL_DBG : VLL_OFF);
    setenv("PATH", path, 1);
    setenv("OVS_RUNDIR", rundir, 1);
    free(path);
    free(rundir);
}

#endif /* ovstest.h */
