/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which frames a packet socket that looks at one UE gets, as the kernel has
 * it: its program is attached to one end of a pair of sockets, and frames are
 * sent to the other one. */

#include <config.h>

#include "filter/tap.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "tap.h"

#define CAPTURED 200

static int ends[2] = { -1, -1 };
static uint8_t frame[600];
static size_t n_frame;

/* Frames, part by part. */

static void
put(const char *bytes, size_t n)
{
    memcpy(frame + n_frame, bytes, n);
    n_frame += n;
}

#define PUT(BYTES) put(BYTES, sizeof BYTES - 1)

static void
put_address(const char *text)
{
    struct in6_addr addr;

    addr_parse(text, &addr);
    if (IN6_IS_ADDR_V4MAPPED(&addr)) {
        put((const char *) addr.s6_addr + 12, 4);
    } else {
        put((const char *) addr.s6_addr, 16);
    }
}

static void
put_ethernet(bool tag, bool v6)
{
    n_frame = 0;
    PUT("\x02\0\0\0\0\1\x02\0\0\0\0\2");
    if (tag) {
        PUT("\x81\0\0\x4d");
    }
    put(v6 ? "\x86\xdd" : "\x08\0", 2);
}

static void
put_ip(const char *src, const char *dst)
{
    if (strchr(src, ':')) {
        PUT("\x60\0\0\0\0\x80\x11\x40");
    } else {
        PUT("\x45\0\0\x80\0\0\0\0\x40\x11\0\0");
    }
    put_address(src);
    put_address(dst);
}

static void
put_gtpu(char flags, char type)
{
    PUT("\x08\x68\x08\x68\0\x60\0\0");
    put((char[]) { flags, type }, 2);
    PUT("\0\x40\0\0\0\1");
}

/* The receiving end. */

static bool
listen_to(const char *ue_text, bool bare)
{
    struct sock_filter code[TAP_PROGRAM_MAX];
    struct sock_fprog program = { .filter = code };
    struct in6_addr ue;

    for (int i = 0; i < 2; i++) {
        close(ends[i]);
    }
    addr_parse_ue(ue_text, &ue);
    program.len = tap_program(code, &ue, bare, CAPTURED);
    return !socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends)
        && program.len <= TAP_PROGRAM_MAX
        && !setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program,
                       sizeof program);
}

/* How much of the frame arrives; 0: it does not. */
static size_t
arrives(void)
{
    uint8_t got[sizeof frame];
    ssize_t n;

    send(ends[0], frame, n_frame, 0);
    n = recv(ends[1], got, sizeof got, 0);
    return n < 0 ? 0 : n;
}

/* A G-PDU, with 'n' bytes between GTP-U's header and the inner packet. */
static void
put_gpdu(bool tag, const char *enb, const char *sgw, char flags,
         const char *between, size_t n, const char *src, const char *dst)
{
    put_ethernet(tag, strchr(enb, ':'));
    put_ip(enb, sgw);
    put_gtpu(flags, '\xff');
    put(between, n);
    put_ip(src, dst);
    PUT("payload");
}

#define PLAIN '\x30', "", 0

static void
a_ue_has_its_packets_both_ways(void)
{
    static const struct {
        const char *ue, *host, *enb, *sgw;
    } cases[] = {
        { "10.45.0.1", "198.51.100.10", "10.1.0.1", "10.1.0.2" },
        { "10.45.0.1", "198.51.100.10", "fd01::1", "fd01::2" },
        { "2001:db8:1:2::3", "2001:db8:5::10", "10.1.0.1", "10.1.0.2" },
        { "2001:db8:1:2::3", "2001:db8:5::10", "fd01::1", "fd01::2" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *ue = cases[i].ue, *host = cases[i].host;
        const char *enb = cases[i].enb, *sgw = cases[i].sgw;

        tap_ok(listen_to(ue, false), "the kernel takes the program");
        for (int tag = 0; tag < 2; tag++) {
            put_gpdu(tag, enb, sgw, PLAIN, ue, host);
            tap_ok(arrives() == n_frame, "from %s, by %s", ue, enb);
            put_gpdu(tag, sgw, enb, PLAIN, host, ue);
            tap_ok(arrives() == n_frame, "to %s, by %s", ue, enb);
        }
    }
}

static void
nobody_else_has(void)
{
    listen_to("10.45.0.1", false);
    put_gpdu(false, "10.1.0.1", "10.1.0.2", PLAIN, "10.45.0.2", "10.45.0.3");
    tap_ok(!arrives(), "other addresses");
    put_gpdu(false, "10.45.0.1", "10.1.0.2", PLAIN, "10.45.0.2", "10.1.0.9");
    tap_ok(!arrives(), "the address in the outer header");
    put_ethernet(false, false);
    put_ip("10.45.0.1", "198.51.100.10");
    PUT("not in a tunnel; not in a tunnel; not in a tunnel");
    tap_ok(!arrives(), "a packet without a tunnel");
    put_gpdu(false, "10.1.0.1", "10.1.0.2", PLAIN, "2001:db8::1",
             "2001:db8::a2d:1");
    tap_ok(!arrives(), "the other family");
    listen_to("2001:db8:1:2::3", false);
    put_gpdu(false, "10.1.0.1", "10.1.0.2", PLAIN, "2001:db8:1:3::3",
             "2001:db9:1:2::3");
    tap_ok(!arrives(), "a prefix that is half the same");
    put_gpdu(false, "10.1.0.1", "10.1.0.2", PLAIN, "2001:db8:1:2::99",
             "2001:db8:5::10");
    tap_ok(arrives(), "another address of the prefix is the UE's");
}

static void
headers_of_gtpu_are_skipped(void)
{
#define GPDU(FLAGS, BETWEEN)                                            \
    put_gpdu(false, "10.1.0.1", "10.1.0.2", FLAGS, BETWEEN,             \
             sizeof BETWEEN - 1, "10.45.0.1", "198.51.100.10")
#define EXT(NEXT) "\1\0\0" NEXT

    listen_to("10.45.0.1", false);
    GPDU('\x32', "\0\1\0\0");
    tap_ok(arrives(), "a sequence number");
    GPDU('\x34', "\0\0\0\x85" EXT("\0"));
    tap_ok(arrives(), "an extension header");
    GPDU('\x34', "\0\0\0\x85\2\0\0\0\0\0\0\0");
    tap_ok(arrives(), "one of eight bytes");
    GPDU('\x34', "\0\0\0\x85" EXT("\x85") EXT("\x85") EXT("\x85") EXT("\x85")
         EXT("\x85") EXT("\x85") EXT("\x85") EXT("\0"));
    tap_ok(arrives(), "eight");
    GPDU('\x34', "\0\0\0\x85" EXT("\x85") EXT("\x85") EXT("\x85") EXT("\x85")
         EXT("\x85") EXT("\x85") EXT("\x85") EXT("\x85") EXT("\0"));
    tap_ok(!arrives(), "nine are too many");
    GPDU('\x34', "\0\0\0\x85\0\0\0\0");
    tap_ok(!arrives(), "one without a length");
    GPDU('\x32', "\0\1\0\x85");
    tap_ok(arrives(), "a type that does not count");
}

static void
only_whole_g_pdus(void)
{
    listen_to("10.45.0.1", false);
    put_gpdu(false, "10.1.0.1", "10.1.0.2", PLAIN, "10.45.0.1", "10.9.9.9");
    frame[14 + 6] = 0x20;
    tap_ok(!arrives(), "a fragment");
    frame[14 + 6] = 0;
    frame[14 + 20 + 8 + 1] = 254;
    tap_ok(!arrives(), "an End Marker");
    frame[14 + 20 + 8 + 1] = 255;
    frame[14 + 20 + 2] = 0;
    tap_ok(!arrives(), "another port");
    frame[14 + 20 + 2] = 8;
    frame[14 + 20 + 8] = 0x20;
    tap_ok(!arrives(), "GTP'");
    frame[14 + 20 + 8] = 0x30;
    tap_ok(arrives(), "a G-PDU");
    n_frame = 14 + 20 + 16 + 10;
    tap_ok(!arrives(), "one that is cut off");
}

static void
what_is_bare_has_no_tunnel(void)
{
    listen_to("10.45.0.1", true);
    put_ethernet(false, false);
    put_ip("10.45.0.1", "198.51.100.10");
    tap_ok(arrives() == n_frame, "from the UE");
    put_ethernet(false, false);
    put_ip("198.51.100.10", "10.45.0.1");
    tap_ok(arrives(), "to the UE");
    put_ethernet(false, false);
    put_ip("198.51.100.10", "10.45.0.2");
    tap_ok(!arrives(), "to another one");
}

static void
a_frame_is_cut(void)
{
    listen_to("10.45.0.1", true);
    put_ethernet(false, false);
    put_ip("10.45.0.1", "198.51.100.10");
    n_frame = sizeof frame;
    tap_ok(arrives() == CAPTURED, "to what was asked for");
}

int
main(void)
{
    a_ue_has_its_packets_both_ways();
    nobody_else_has();
    headers_of_gtpu_are_skipped();
    only_whole_g_pdus();
    what_is_bare_has_no_tunnel();
    a_frame_is_cut();
    return tap_done();
}
