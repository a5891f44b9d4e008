/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What comes back of the journal: sessions and Ethernet headers, also after it
 * has been made smaller. */

#include <config.h>

#include "persist/persist.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "filter/l2.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "persist/journal.h"
#include "session/session.h"
#include "tap.h"
#include "timeval.h"

#define ENB "10.1.0.1"
#define SGW "10.1.0.2"
#define UE "10.45.0.2"

static char dir[] = "test_persist.XXXXXX";
static char file[64];

/* As agent.c connects them. */
static void
path_changed(enum filter_side side, const struct in6_addr *src,
             const struct in6_addr *dst, const struct l2_header *l2)
{
    if (!persist_is_replaying()) {
        persist_path(side, src, dst, l2);
    }
}

static void
bearer_event(struct bearer *b, enum bearer_event event, const char *reason)
{
    (void) reason;
    if (event == BEARER_CHANGED && !persist_is_replaying()) {
        persist_bearer(b, STATELET_BEARER);
    }
}

static void
start(void)
{
    char *what = NULL;

    session_init(10, 10000, bearer_event);
    l2_init(path_changed);
    if (persist_open(dir, &what)) {
        tap_ok(false, "%s", what);
        free(what);
    }
}

static void
end(void)
{
    persist_close();
    l2_destroy();
    session_destroy();
}

static void
hear(uint8_t mac)
{
    const struct in6_addr enb = ip(ENB), sgw = ip(SGW);
    const struct l2_header l2 = { .bytes = { 2, 0, 0, 0, 0, mac },
                                  .len = ETH_HEADER_LEN };

    l2_replicated(SIDE_SGW, &sgw, &enb, &l2);
}

/* What is known now has come from the journal. */
static bool
knows(uint8_t mac)
{
    const struct in6_addr enb = ip(ENB), sgw = ip(SGW), ue = ip(UE);
    const struct fteid up = { sgw, 17 };
    const struct bearer *b = session_bearer_by_uplink(&up, AF_INET);
    struct l2_header l2;

    return (b && IN6_ARE_ADDR_EQUAL(&b->session->ue, &ue)
            && l2_get(SIDE_SGW, &sgw, &enb, &l2) && l2.bytes[5] == mac
            && !l2_get(SIDE_ENB, &sgw, &enb, &l2));
}

static off_t
journal_size(void)
{
    struct stat st = { .st_size = -1 };

    stat(file, &st);
    return st.st_size;
}

static void
test_restart(void)
{
    const struct in6_addr enb = ip(ENB), ue = ip(UE);
    const struct fteid up = { ip(SGW), 17 };

    start();
    session_uplink(&enb, &up, &ue, time_msec());
    hear(1);
    hear(2);
    end();
    start();
    tap_ok(knows(2), "the last of all is restored");
    end();
}

/* Until a smaller journal has taken its place. */
static void
test_compaction(void)
{
    const long long int deadline = time_msec() + 30000;
    off_t size = 0, before;

    start();
    for (int i = 0; i < 12000; i++) {
        hear(i % 2 ? 3 : 4);
    }
    do {
        before = size;
        persist_run();
        size = journal_size();
        persist_wait();
        poll_timer_wait(100);
        poll_block();
    } while (size >= before && time_msec() < deadline);
    tap_ok(size < before, "a journal full of history gets smaller");
    end();
    start();
    tap_ok(knows(3), "and has all that is alive");
    end();
}

int
main(void)
{
    if (!mkdtemp(dir)) {
        return 1;
    }
    snprintf(file, sizeof file, "%s/sessions.journal", dir);
    test_restart();
    test_compaction();
    unlink(file);
    rmdir(dir);
    return tap_done();
}
