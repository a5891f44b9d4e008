/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_TESTS_NO_AIO_H
#define TOF_TESTS_NO_AIO_H 1

/* For programs that are linked with --wrap=syscall: no syncs in the background,
 * which take long to set up (base/fdsync.c). */

#include <sys/syscall.h>

long __real_syscall(long, ...);
long __wrap_syscall(long, long, long, long, long, long, long);
long
__wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    return (number == SYS_io_setup ? -1
            : __real_syscall(number, a, b, c, d, e, f));
}

#endif /* tests/no_aio.h */
