/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CHECK_H
#define TOF_CHECK_H 1

/* Health checks: whether an App does what it is there for.
 *
 * Every interval another try begins, from the TOF's own address in the Apps'
 * network: a TCP connection, which succeeds when it is open; an HTTP request
 * over one, when the status that is expected comes; or a ping, when the reply
 * comes.  What has not succeeded when the next try is due has failed.
 *
 * Place in the flow: apps.c runs the check of an App that has one, and counts
 * what it says.  Nothing here waits: sockets are nonblocking. */

#include <netinet/in.h>
#include <stdbool.h>

struct service_check;

/* The check must stay as it is until check_stop(). */
struct check *check_start(const struct in6_addr *app,
                          const struct service_check *);
void check_stop(struct check *);        /* May be NULL. */

enum check_result {
    CHECK_PENDING,
    CHECK_PASSED,
    CHECK_FAILED,               /* check_why() says why. */
};

/* Goes on with the try that is under way, or begins the next one if it is due.
 * Each try has one result. */
enum check_result check_run(struct check *);
void check_wait(const struct check *);

/* The end of a sentence that begins with the check: constant. */
const char *check_why(const struct check *);

#endif /* service/check.h */
