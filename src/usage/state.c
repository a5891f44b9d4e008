/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The sums of usage, over a restart.
 *
 * Place in the flow: usage.c saves all accounts once an interval, a few a
 * round of the loop, and at its end; the next tofd restores them.  What the
 * kernel has counted and what of that is in the sums are saved together, so
 * nothing is counted twice, and what comes in between is not lost, however
 * old the file.  Lines of text:
 *
 *     boot ID                            the kernel's counts are of this boot
 *     session ID UE SINCE CHANGED REASON         "-": it lives
 *     bearer ID SGW TEID CLOSED
 *     pair SERVICE_IP UP DOWN            directions counted, and four numbers:
 *                                        what the kernel has last said
 *     service SERVICE_IP ... NAME        four numbers: the sums
 *     seq NUMBER FINAL                   the last line
 *
 * It is written in the loop, to a temporary file that takes the place of the
 * old one when it is on the disk (fdsync.c): so after a crash of the host the
 * file is the old or the new one.  (The kernel's counts are gone then.) */

#include <config.h>

#include "usage/private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/fdsync.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(usage_state);

#define NAME "usage.state"
#define SINCE_MAX 253402300799999       /* ms: 9999-12-31T23:59:59.999Z. */
#define TEMPORARY_NAME NAME ".tmp"
#define COUNTERS "%"PRIu64" %"PRIu64" %"PRIu64" %"PRIu64
#define COUNTERS_IN "%"SCNu64" %"SCNu64" %"SCNu64" %"SCNu64

static FILE *stream;            /* Being saved. */
static struct fdsync *fdsync;   /* Of what has been saved last. */
static const char *dir;
static int dir_fd = -1;         /* -1 while it cannot be opened. */

static char *
boot_id(void)
{
    char buf[64] = "";
    FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (in) {
        if (!fgets(buf, sizeof buf, in)) {
            buf[0] = '\0';
        }
        fclose(in);
    }
    buf[strcspn(buf, "\n")] = '\0';
    return xstrdup(buf);
}

static void
warn(int error)
{
    VLOG_WARN(NAME": %s", ovs_strerror(error));
}

/* A new file that only this user can read: it says who talked to whom.
 * Returns 0 or a positive errno value. */
static int
open_stream(void)
{
    if (dir_fd < 0) {
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0) {
            return errno;
        }
    }
    unlinkat(dir_fd, TEMPORARY_NAME, 0);
    int fd = openat(dir_fd, TEMPORARY_NAME,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!stream) {
        int error = errno;

        /* By its path next time, where something else may be mounted then. */
        close(dir_fd);
        dir_fd = -1;
        return error;
    }
    return 0;
}

void
usage_state_init(const char *dir_)
{
    fdsync = fdsync_create();
    dir = dir_;
}

/* Waits until what was saved last is in its place. */
static void
finish(void)
{
    int error = fdsync_finish(fdsync);

    if (error) {
        warn(error);
    }
}

void
usage_state_destroy(void)
{
    finish();
    fdsync_destroy(fdsync);
    fdsync = NULL;
    if (dir_fd >= 0) {
        close(dir_fd);
        dir_fd = -1;
    }
}

bool
usage_state_is_busy(void)
{
    return fdsync_is_busy(fdsync);
}

void
usage_state_run(void)
{
    int error = fdsync_is_busy(fdsync) ? fdsync_poll(fdsync) : 0;

    if (error && error != EINPROGRESS) {
        warn(error);
    }
}

void
usage_state_wait(void)
{
    fdsync_wait(fdsync);
}

void
usage_state_begin(void)
{
    char *boot = boot_id();

    if (stream) {
        fclose(stream);         /* One that was under way: all anew. */
    }
    finish();
    int error = open_stream();
    if (error) {
        warn(error);
    } else {
        fprintf(stream, "boot %s\n", boot);
    }
    free(boot);
}

static void
put_bearer(const struct usage_bearer *b)
{
    const struct usage_pair *p;
    char ip[INET6_ADDRSTRLEN];

    fprintf(stream, "bearer %08"PRIx32" %s %"PRIu32" %d\n", b->id,
            addr_format(&b->up.addr, ip), b->up.teid,
            b->state == USAGE_CLOSED);
    LIST_FOR_EACH (p, node, &b->pairs) {
        fprintf(stream, "pair %s %d %d "COUNTERS"\n",
                addr_format(&p->service_ip, ip), p->up, p->down,
                p->last.packets_up, p->last.bytes_up, p->last.packets_down,
                p->last.bytes_down);
    }
}

void
usage_state_put(const struct usage_account *a)
{
    const struct usage_service *s;
    const struct usage_bearer *b;
    char ip[ADDR_UE_STRLEN];

    if (!stream) {
        return;
    }
    fprintf(stream, "session %08"PRIx32" %s %lld %d %s\n", a->session,
            addr_format_ue(&a->ue, ip), a->since, a->changed,
            a->reason ? a->reason : "-");
    LIST_FOR_EACH (b, account_node, &a->bearers) {
        put_bearer(b);
    }
    LIST_FOR_EACH (s, node, &a->services) {
        fprintf(stream, "service %s "COUNTERS" %s\n",
                addr_format(&s->ip, ip), s->counters.packets_up,
                s->counters.bytes_up, s->counters.packets_down,
                s->counters.bytes_down, s->name);
    }
}

void
usage_state_end(uint64_t seq, bool final)
{
    if (!stream) {
        return;
    }
    fprintf(stream, "seq %"PRIu64" %d\n", seq, final);
    if (fflush(stream) || ferror(stream)) {
        warn(errno);
        unlinkat(dir_fd, TEMPORARY_NAME, 0);
    } else {
        fdsync_replace(fdsync, fileno(stream), dir_fd, TEMPORARY_NAME, NAME);
    }
    fclose(stream);
    stream = NULL;
}

/* What a line belongs to. */
struct restoring {
    struct usage_account *account;
    struct usage_bearer *bearer;
    bool rebooted;              /* The kernel counts from 0 again. */
    uint64_t seq;
    int final;
};

static const char *
known_reason(const char *reason)
{
    static const char *const reasons[] = {
        "deleted", "idle", "reused", "unknown"
    };

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (!strcmp(reason, reasons[i])) {
            return reasons[i];
        }
    }
    return NULL;
}

static bool
restore_session(const char *args, struct restoring *r)
{
    char ue[ADDR_UE_STRLEN], reason[16];
    long long int since;
    struct in6_addr addr;
    int changed;
    uint32_t id;

    if (sscanf(args, "%"SCNx32" %48s %lld %d %15s", &id, ue, &since, &changed,
               reason) != 5
        || !addr_parse_ue(ue, &addr) || since < 0 || since > SINCE_MAX) {
        return false;
    }
    r->account = usage_account_create(id, &addr, since);
    r->account->reason = known_reason(reason);
    r->account->changed = changed;
    r->bearer = NULL;
    return true;
}

static bool
restore_bearer(const char *args, struct restoring *r)
{
    char sgw[INET6_ADDRSTRLEN];
    struct fteid up;
    int closed;
    uint32_t id;

    if (!r->account
        || sscanf(args, "%"SCNx32" %45s %"SCNu32" %d", &id, sgw, &up.teid,
                  &closed) != 4
        || !addr_parse(sgw, &up.addr)) {
        return false;
    }
    r->bearer = usage_bearer_create(r->account, id, &up,
                                    closed ? USAGE_CLOSED : USAGE_ALIVE);
    return true;
}

static bool
restore_pair(const char *args, struct restoring *r)
{
    struct counters c;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    int up, down;

    /* What is closed has none. */
    if (!r->bearer || r->bearer->state == USAGE_CLOSED
        || sscanf(args, "%45s %d %d "COUNTERS_IN, text, &up, &down,
                  &c.packets_up, &c.bytes_up, &c.packets_down,
                  &c.bytes_down) != 7
        || !addr_parse(text, &ip)) {
        return false;
    }
    struct usage_pair *p = usage_pair_get(r->bearer, &ip);
    if (!r->rebooted) {
        p->last = c;
        p->up = up;
        p->down = down;
    }
    return true;
}

static bool
restore_service(const char *args, struct restoring *r)
{
    struct counters c;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    int n = 0;

    if (!r->account
        || sscanf(args, "%45s "COUNTERS_IN" %n", text, &c.packets_up,
                  &c.bytes_up, &c.packets_down, &c.bytes_down, &n) != 5
        || !addr_parse(text, &ip)) {
        return false;
    }
    usage_service_get(r->account, &ip, args + n)->counters = c;
    return true;
}

static bool
restore_line(char *line, struct restoring *r)
{
    char *verb = strtok_r(line, " ", &line);

    if (!verb) {
        return false;
    } else if (!strcmp(verb, "boot")) {
        char *boot = boot_id();

        r->rebooted = strcmp(line, boot);
        free(boot);
        return true;
    } else if (!strcmp(verb, "seq")) {
        return sscanf(line, "%"SCNu64" %d", &r->seq, &r->final) == 2;
    }
    return (!strcmp(verb, "session") ? restore_session(line, r)
            : !strcmp(verb, "bearer") ? restore_bearer(line, r)
            : !strcmp(verb, "pair") ? restore_pair(line, r)
            : !strcmp(verb, "service") ? restore_service(line, r)
            : false);
}

void
usage_state_restore(uint64_t *seq, bool *final)
{
    char *path = xasprintf("%s/"NAME, dir);
    struct restoring r = { .seq = 0 };
    FILE *in = fopen(path, "re");
    char line[512];

    while (in && fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (!restore_line(line, &r)) {
            VLOG_WARN("%s: damaged", path);
            break;
        }
    }
    if (in) {
        fclose(in);
    }
    free(path);
    *seq = r.seq;
    *final = r.final;
}
