/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage records, byte by byte; their file, whole or torn; sums over a
 * restart. */

#include <config.h>

#include "usage/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "base/addr.h"
#include "conf/conf.h"
#include "openvswitch/dynamic-string.h"
#include "tap.h"
#include "tests/no_aio.h"
#include "usage/private.h"
#include "util.h"

/* What is done about files, by the letter; no syncs in the background. */
static char done[16];

static void
note_done(char what)
{
    done[strlen(done) % (sizeof done - 1)] = what;
}

int __real_renameat(int, const char *, int, const char *);
int __wrap_renameat(int, const char *, int, const char *);
int
__wrap_renameat(int old_fd, const char *old, int new_fd, const char *new)
{
    note_done('r');
    return __real_renameat(old_fd, old, new_fd, new);
}

int __real_fdatasync(int);
int __wrap_fdatasync(int);
int
__wrap_fdatasync(int fd)
{
    struct stat st;

    note_done(fstat(fd, &st) ? '?' : S_ISDIR(st.st_mode) ? 'd' : 'f');
    return __real_fdatasync(fd);
}

static char dir[] = "test_usage.XXXXXX";
static char file[64];
static struct conf conf;

static char *
contents(const char *name)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    FILE *in = fopen(name, "r");
    int c;

    while (in && (c = getc(in)) != EOF) {
        ds_put_char(&s, c);
    }
    if (in) {
        fclose(in);
    }
    return ds_steal_cstr(&s);
}

static void
put_contents(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    if (!out || fputs(text, out) < 0 || fclose(out)) {
        abort();
    }
}

static bool
same(const char *what, char *got, const char *expected)
{
    bool ok = tap_ok(!strcmp(got, expected), "%s", what);

    if (!ok) {
        tap_diag("got      %s", got);
        tap_diag("expected %s", expected);
    }
    free(got);
    return ok;
}

/* Records. */

static char *
record(const struct usage_account *a, uint64_t seq, long long int now,
       const char *reason)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    usage_record(&s, a, seq, now, reason);
    return ds_steal_cstr(&s);
}

/* There are no services. */
static const char *
name_of(const struct in6_addr *addr OVS_UNUSED)
{
    return NULL;
}

static void
test_records(void)
{
    struct in6_addr ue = ip("10.45.0.1"), ue6 = ip("2001:db8:45:1::");
    struct in6_addr one = ip("198.51.100.10"), two = ip("2001:db8:5::10");
    struct fteid up = { ip("10.1.0.2"), 4294967295u };
    struct fteid up6 = { ip("fd01::2"), 1 };
    struct usage_account *a;

    usage_init(&conf, name_of);
    a = usage_account_create(0x102, &ue, 0);
    usage_bearer_create(a, 0x203, &up, USAGE_ALIVE);
    usage_service_get(a, &one, "edge")->counters
        = (struct counters) { 1, 2, 3, UINT64_MAX };
    same("an interim record",
         record(a, 7, 1763700000123, NULL),
         "{\"seq\":7,\"time\":\"2025-11-21T04:40:00.123Z\","
         "\"event\":\"interim\",\"reason\":null,\"session\":\"00000102\","
         "\"ue\":\"10.45.0.1\",\"bearers\":[{\"id\":\"00000203\","
         "\"uplink\":{\"sgw\":\"10.1.0.2\",\"teid\":4294967295}}],"
         "\"since\":\"1970-01-01T00:00:00.000Z\","
         "\"services\":[{\"name\":\"edge\","
         "\"serviceIP\":\"198.51.100.10\",\"packetsUp\":1,\"bytesUp\":2,"
         "\"packetsDown\":3,\"bytesDown\":9223372036854775807}],"
         "\"totals\":{\"packetsUp\":1,\"bytesUp\":2,\"packetsDown\":3,"
         "\"bytesDown\":9223372036854775807}}");

    a = usage_account_create(0xffffff01, &ue6, 1763699999007);
    usage_bearer_create(a, 1, &up6, USAGE_ALIVE);
    usage_bearer_create(a, 2, &up, USAGE_CLOSED);
    usage_service_get(a, &two, "a \"b\"\\\n\x01/")->counters
        = (struct counters) { 10, 1000, 0, 0 };
    usage_service_get(a, &two, "")->counters
        = (struct counters) { 1, 100, 20, 2000 };
    same("the last record of a session, with names to escape and IPv6",
         record(a, 9223372036854775807u, 1763700000000, "idle"),
         "{\"seq\":9223372036854775807,"
         "\"time\":\"2025-11-21T04:40:00.000Z\","
         "\"event\":\"end\",\"reason\":\"idle\",\"session\":\"ffffff01\","
         "\"ue\":\"2001:db8:45:1::/64\",\"bearers\":[{\"id\":\"00000001\","
         "\"uplink\":{\"sgw\":\"fd01::2\",\"teid\":1}},"
         "{\"id\":\"00000002\",\"uplink\":{\"sgw\":\"10.1.0.2\","
         "\"teid\":4294967295}}],"
         "\"since\":\"2025-11-21T04:39:59.007Z\","
         "\"services\":[{\"name\":\"a \\\"b\\\"\\\\\\n\\u0001/\","
         "\"serviceIP\":\"2001:db8:5::10\",\"packetsUp\":10,"
         "\"bytesUp\":1000,\"packetsDown\":0,\"bytesDown\":0},"
         "{\"name\":\"\",\"serviceIP\":\"2001:db8:5::10\","
         "\"packetsUp\":1,\"bytesUp\":100,\"packetsDown\":20,"
         "\"bytesDown\":2000}],\"totals\":{\"packetsUp\":11,"
         "\"bytesUp\":1100,\"packetsDown\":20,\"bytesDown\":2000}}");
    usage_destroy();
}

/* The file. */

static void
add(const char *text)
{
    struct ds line = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&line, text);
    usage_log_add(&line);
    ds_destroy(&line);
}

static void
test_file(void)
{
    unlink(file);
    usage_log_init(file);
    tap_ok(!usage_log_last_seq(), "no file: no record yet");
    add("{\"seq\":1,\"x\":1}");
    add("{\"seq\":2}");
    usage_log_run();
    same("lines are appended", contents(file),
         "{\"seq\":1,\"x\":1}\n{\"seq\":2}\n");
    tap_ok(usage_log_last_seq() == 2, "the last sequence number");

    rename(file, "test_usage.old");
    usage_log_reopen();
    same("reopened: a new file at once", contents(file), "");
    add("{\"seq\":3}");
    usage_log_destroy();
    same("what waits is written at the end", contents(file),
         "{\"seq\":3}\n");
    unlink("test_usage.old");

    put_contents(file, "{\"seq\":41,\"a\":1}\n{\"seq\":42,\"b\"");
    usage_log_init(file);
    tap_ok(usage_log_last_seq() == 42, "a torn line has its number");
    add("{\"seq\":43}");
    usage_log_run();
    usage_log_destroy();
    same("a torn line is ended before another follows", contents(file),
         "{\"seq\":41,\"a\":1}\n{\"seq\":42,\"b\"\n{\"seq\":43}\n");

    put_contents(file, "{\"seq\":5}\nsomething else\n");
    usage_log_init(file);
    tap_ok(usage_log_last_seq() == 5, "what is no record is passed over");
    usage_log_destroy();
}

static void
test_file_that_cannot_be_written(void)
{
    char *missing = xasprintf("%s/none/file", dir);
    char *none = xasprintf("%s/none", dir);

    usage_log_init(missing);
    add("one");
    usage_log_run();
    add("two");
    mkdir(none, 0700);
    usage_log_destroy();
    same("lines wait until the file can be written", contents(missing),
         "one\ntwo\n");
    unlink(missing);

    rmdir(none);
    usage_log_init(missing);
    char *line = xmalloc(1 << 20);
    memset(line, 'x', 1 << 20);
    line[(1 << 20) - 1] = '\0';
    for (int i = 0; i < 20; i++) {
        add(line);
    }
    mkdir(none, 0700);
    usage_log_destroy();
    char *got = contents(missing);
    tap_ok(strlen(got) == 16u << 20 && got[strlen(got) - 1] == '\n',
           "as many whole lines as fit into memory are kept");
    free(got);
    free(line);
    unlink(missing);
    rmdir(none);
    free(missing);
    free(none);
}

/* Sums. */

static const struct in6_addr *
service_ip(void)
{
    static struct in6_addr addr;

    addr = ip("198.51.100.10");
    return &addr;
}

static void
show(const char *name, const struct in6_addr *addr,
     const struct counters *c, void *s)
{
    char text[INET6_ADDRSTRLEN];

    ds_put_format(s, "[%s] %s %llu %llu\n", name, addr_format(addr, text),
                  (unsigned long long) c->packets_down,
                  (unsigned long long) c->bytes_down);
}

static char *
shown(uint32_t session)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, "");
    usage_of_session(session, show, &s);
    return ds_steal_cstr(&s);
}

static struct bearer *
make_bearer(const char *ue, uint32_t teid)
{
    struct in6_addr enb = ip("10.1.0.1"), addr = ip(ue);
    struct fteid up = { ip("10.1.0.2"), teid };

    return session_uplink(&enb, &up, &addr, 1000);
}

/* Whether a session that the file of sums names is still in it afterwards. */
static bool
is_restored(const char *state, const char *session)
{
    char *text = xasprintf("boot x\nsession %s\nservice 198.51.100.10 1 1 1 1 "
                           "x\nseq 1 1\n", session);
    char *id = xasprintf("session 000000%.2s ", session);

    put_contents(state, text);
    free(text);
    usage_init(&conf, name_of);
    usage_destroy();
    text = contents(state);
    bool found = strstr(text, id);
    free(text);
    free(id);
    return found;
}

static void
test_restart(void)
{
    struct bearer *b = make_bearer("10.45.0.1", 1);
    struct bearer *quiet = make_bearer("10.45.0.2", 2);
    struct bearer *gone = make_bearer("10.45.0.3", 3);
    struct bearer *six = make_bearer("2001:db8:45:1::7", 6);
    struct stat st;

    unlink(file);
    memset(done, 0, sizeof done);
    usage_init(&conf, name_of);
    usage_sent_down(b, service_ip(), 100);
    usage_sent_down(b, service_ip(), 50);
    usage_bearer(quiet);
    usage_sent_down(six, service_ip(), 10);
    usage_sent_down(gone, service_ip(), 1);
    same("sums", shown(b->session->id), "[] 198.51.100.10 2 150\n");
    same("no sums", shown(quiet->session->id), "");
    usage_destroy();
    same("saved at start and end: file synced, renamed, directory synced",
         xstrdup(done), "frdfrd");

    uint32_t id = gone->session->id;
    session_forget(gone, "deleted");
    usage_init(&conf, name_of);
    same("sums survive", shown(b->session->id), "[] 198.51.100.10 2 150\n");
    same("those of an IPv6 UE too", shown(six->session->id),
         "[] 198.51.100.10 1 10\n");
    same("a session that is not there any more is not shown", shown(id), "");
    usage_sent_down(b, service_ip(), 1);
    same("and go on", shown(b->session->id), "[] 198.51.100.10 3 151\n");
    b->diversion = DIVERSION_ASKED;
    usage_bearer_gone(b, "deleted");
    same("until the session ends", shown(b->session->id), "");
    usage_destroy();
    session_forget(b, "deleted");

    char *state = xasprintf("%s/usage.state", dir);
    char *text = contents(state);
    tap_ok(strstr(text, " deleted\n") && strstr(text, " unknown\n"),
           "what has ended is remembered with its reason");
    free(text);
    tap_ok(!stat(state, &st) && (st.st_mode & 07777) == 0600,
           "for nobody else");
    tap_ok(is_restored(state, "77 10.45.0.9 5 1 deleted")
           && !is_restored(state, "78 10.45.0.9 -5 1 deleted")
           && !is_restored(state, "79 10.45.0.9 253402300800000 1 deleted")
           && !is_restored(state, "7a 10.45.0.9 99999999999999999999 1 x"),
           "no session began before 1970 or after 9999");
    put_contents(state, "boot x\nsession 1 nonsense\nservice 1.2.3.4\n");
    usage_init(&conf, name_of);
    same("a damaged file is no harm", shown(1), "");
    usage_destroy();
    unlink(state);
    free(state);
}

/* Identifiers and accounts. */

static void
test_identifier_used_again(void)
{
    struct bearer *b = make_bearer("10.45.1.1", 11);
    struct fteid up = { ip("10.1.0.2"), 99 };
    struct in6_addr ue = ip("10.45.1.9");

    usage_init(&conf, name_of);
    struct usage_account *a = usage_account_create(0x9901, &ue, 0);
    struct usage_bearer *old = usage_bearer_create(a, b->id, &up, USAGE_GONE);
    usage_pair_get(old, service_ip())->last.bytes_up = 500;

    struct usage_bearer *new = usage_bearer_get(b);
    tap_ok(new != old && new->account != a
           && new->account->session == b->session->id
           && usage_bearer_find(b->id) == new,
           "an identifier used again is another bearer's");
    tap_ok(old->state == USAGE_CLOSED && usage_account_is_final(a),
           "the old bearer is closed");
    tap_ok(usage_pair_get(new, service_ip())->last.bytes_up == 500,
           "what was counted for the old one is not the new one's");
    usage_destroy();
    session_forget(b, "deleted");
}

static void
test_many_bearers(void)
{
    struct in6_addr ue = ip("10.45.1.9");
    struct fteid up = { ip("10.1.0.2"), 1 };

    usage_init(&conf, name_of);
    struct usage_account *a = usage_account_create(0x9902, &ue, 0);
    usage_bearer_create(a, 0x101, &up, USAGE_ALIVE);
    for (uint32_t id = 0x200; id < 0x2000; id += 0x100) {
        usage_bearer_close(usage_bearer_create(a, id, &up, USAGE_ALIVE));
    }
    tap_ok(ovs_list_size(&a->bearers) == 17
           && usage_bearer_find(0x101) && !usage_bearer_find(0x1f00)
           && CONTAINER_OF(ovs_list_back(&a->bearers), struct usage_bearer,
                           account_node)->id == 0x1f00,
           "the bearers that live, and the latest that do not, are kept");
    usage_destroy();
}

int
main(void)
{
    if (!mkdtemp(dir)) {
        return 1;
    }
    snprintf(file, sizeof file, "%s/usage.jsonl", dir);
    conf.state_dir = dir;
    conf.usage.file = file;
    conf.usage.interval_seconds = 300;
    session_init(100, 10000, NULL);

    test_records();
    test_file();
    test_file_that_cannot_be_written();
    test_identifier_used_again();
    test_many_bearers();
    test_restart();

    session_destroy();
    unlink(file);
    tap_ok(!rmdir(dir), "nothing else is left behind");
    return tap_done();
}
