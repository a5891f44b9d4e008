/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CLOCK_H
#define TOF_CLOCK_H 1

/* The time to the nanosecond, for what is shown.  What the agent does
 * goes by Open vSwitch's time_msec(). */

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull

/* The time of 'clock', ns; that of CLOCK_REALTIME is since 1970. */
static inline uint64_t
clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

#endif /* base/clock.h */
