/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TAP_H
#define TOF_TAP_H 1

/* Output of the unit tests in the Test Anything Protocol, which automake's
 * tap-driver reads.  A test program calls tap_ok() once a test and ends with
 * "return tap_done();".  Included by one file a program. */

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_n;
static int tap_n_failed;

/* Reports one test, under the name of the function that it is in.  Returns
 * 'OK'. */
#define tap_ok(OK, ...) tap_ok_in(__func__, OK, __VA_ARGS__)

static inline bool __attribute__((format(printf, 3, 4)))
tap_ok_in(const char *function, bool ok, const char *format, ...)
{
    va_list args;

    printf("%sok %d - %s: ", ok ? "" : "not ", ++tap_n, function);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    tap_n_failed += !ok;
    fflush(stdout);
    return ok;
}

/* A line for whoever looks into a failed test. */
static inline void __attribute__((format(printf, 1, 2)))
tap_diag(const char *format, ...)
{
    va_list args;

    printf("# ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* Prints the plan; returns the exit status of the program. */
static inline int
tap_done(void)
{
    printf("1..%d\n", tap_n);
    return tap_n_failed || !tap_n;
}

#endif /* tap.h */
