/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: what another TOF says to one that follows it, and what is
 * imported of a snapshot, into the real session table.  Whatever that is,
 * bearers are whole, and say of themselves what can be read again. */

#include <config.h>

#include "persist/replicate_receive.h"

#include <stdlib.h>

#include "conf/conf.h"
#include "filter/l2.h"
#include "fuzz.h"
#include "persist/import.h"
#include "records.h"
#include "session/session.h"
#include "stream.h"
#include "util.h"

static const char text[] =
    "s1u: {enb: enb0, sgw: sgw0}\n"
    "apps: {interface: app0, address: [192.168.100.1/24]}\n"
    "standby: {follow: [\"192.0.2.1:7677\"]}\n";

/* A stream that brings 'said', in pieces, and then is closed. */
static const uint8_t *said;
static size_t n_said, piece;

int __wrap_stream_open(const char *, struct stream **, uint8_t);
int
__wrap_stream_open(const char *name OVS_UNUSED, struct stream **stream,
                   uint8_t dscp OVS_UNUSED)
{
    *stream = (struct stream *) &said;
    return 0;
}

int __wrap_stream_connect(struct stream *);
int
__wrap_stream_connect(struct stream *stream OVS_UNUSED)
{
    return 0;
}

int __wrap_stream_recv(struct stream *, void *, size_t);
int
__wrap_stream_recv(struct stream *stream OVS_UNUSED, void *buffer, size_t n)
{
    n = MIN(MIN(n, piece), n_said);
    memcpy(buffer, said, n);
    said += n;
    n_said -= n;
    return n;
}

int __wrap_stream_send(struct stream *, const void *, size_t);
int
__wrap_stream_send(struct stream *stream OVS_UNUSED,
                   const void *buffer OVS_UNUSED, size_t n)
{
    return n;
}

void __wrap_stream_close(struct stream *);
void
__wrap_stream_close(struct stream *stream OVS_UNUSED)
{
}

void __wrap_stream_run(struct stream *);
void
__wrap_stream_run(struct stream *stream OVS_UNUSED)
{
}

static bool
diverted(struct bearer *b, long long int now OVS_UNUSED)
{
    return b->down_known;
}

static void
path_changed(enum filter_side side OVS_UNUSED,
             const struct in6_addr *src OVS_UNUSED,
             const struct in6_addr *dst OVS_UNUSED,
             const struct l2_header *l2)
{
    if (!l2_header_is_valid(l2)) {
        abort();
    }
}

static void
check_bearers(void)
{
    const struct bearer *b = NULL;

    while ((b = session_next_bearer(b ? b->id : 0)) != NULL) {
        uint8_t record[STATELET_LEN];
        struct statelet st;

        session_to_statelet(b, &st);
        statelet_encode(&st, record);
        if (!b->session || !b->enb || !statelet_decode(record, &st)) {
            abort();
        }
        bearer_describe(b);
    }
}

static void
import(const uint8_t *records, size_t size)
{
    for (; size >= STATELET_LEN; records += STATELET_LEN,
         size -= STATELET_LEN) {
        struct statelet st;

        if (statelet_decode(records, &st) && !import_problem(&st)) {
            import_bearer(&st);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t stream[256 * STATELET_LEN];
    static struct conf *conf;
    char *error;
    size_t n = 0;

    if (!conf) {
        conf = conf_parse(text, sizeof text - 1, "fuzz", &error);
        import_init(conf);
        fuzz_be_quiet();
    }
    if (!size) {
        return 0;
    }
    const uint8_t how = data[0];
    data++;
    size--;
    while (n + STATELET_LEN <= sizeof stream
           && next_record(&data, &size, stream + n)) {
        n += STATELET_LEN;
    }
    session_init(64, 10000, NULL);
    l2_init(path_changed);
    if (how & 1) {
        import(stream, n);
    } else {
        said = stream;
        n_said = n;
        piece = 1 + how % 250;
        replicate_receive_init(conf, diverted);
        for (int i = 0; n_said && i < 1000; i++) {
            replicate_receive_run();
        }
        replicate_receive_destroy();
    }
    check_bearers();
    l2_destroy();
    session_destroy();
    return 0;
}
