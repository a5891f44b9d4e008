/* SPDX-License-Identifier: GPL-3.0-or-later */

/* tofctl trace: the packets of one UE: see trace.h. */

#include <config.h>

#include "ctl/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/http.h"
#include "ctl/pcapng.h"
#include "ctl/table.h"

#define NS 1000000000
#define PAUSE_NS (NS / 5)
#define LAST_MAX 100            /* Answers, when the user has had enough. */

const char *trace_pcap_file;

static FILE *pcap;
static volatile sig_atomic_t ended;

static void
end(int signo __attribute__((unused)))
{
    ended = 1;
}

/* What words of the API mean to people. */

static const char *
where_to(const json_t *packet)
{
    static const struct {
        const char *word, *text;
    } places[] = {
        { "sgw", "to the SGW" }, { "enb", "to the eNodeB" },
        { "app", "to the App" }, { "chain", "to the chain of functions" },
        { "filter", "to the filter" }, { "tofd", "to tofd" },
        { "ovs", "to Open vSwitch" },
    };
    const char *word = text_of(packet, "where");

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!strcmp(word, places[i].word)) {
            return places[i].text;
        }
    }
    return word;
}

static const char *
protocol_of(const json_t *packet)
{
    switch (json_integer_value(json_object_get(packet, "protocol"))) {
    case 1: return "ICMP";
    case 6: return "TCP";
    case 17: return "UDP";
    case 58: return "ICMPv6";
    default: return "IP";
    }
}

/* Where it goes, and why; to be freed. */
static char *
fate_of(const json_t *packet)
{
    char *text = format_text("%s (%s)", where_to(packet),
                             text_of(packet, "reason"));

    for (char *p = text; *p; p++) {
        *p = *p == '_' ? ' ' : *p;
    }
    return text;
}

static void
print_packet(const json_t *packet, const char *fate)
{
    const json_int_t ns = json_integer_value(json_object_get(packet,
                                                             "timeNs"));
    const time_t seconds = ns / NS;
    char clock[sizeof "00:00:00"];
    struct tm tm;

    if (raw_json) {
        json_dumpf(packet, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    strftime(clock, sizeof clock, "%T", localtime_r(&seconds, &tm));
    printf("%s.%06d %-4s %s > %s %s, %s bytes: %s\n", clock,
           (int) (ns % NS / 1000), text_of(packet, "direction"),
           text_of(packet, "source"), text_of(packet, "destination"),
           protocol_of(packet), text_of(packet, "length"), fate);
}

/* The file. */

static void
write_pcap(const void *data, size_t len)
{
    if (fwrite(data, 1, len, pcap) != len) {
        die(EXIT_USAGE, "%s: %s", trace_pcap_file, strerror(errno));
    }
}

static void
open_pcap(void)
{
    uint8_t header[PCAPNG_HEADER_MAX];
    int fd = open(trace_pcap_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                  0600);    /* It is somebody's traffic. */

    pcap = fd < 0 ? NULL : fdopen(fd, "w");
    if (!pcap) {
        die(EXIT_USAGE, "%s: %s", trace_pcap_file, strerror(errno));
    }
    write_pcap(header, pcapng_header(header, "tofctl " PACKAGE_VERSION));
}

/* Turns 'hex' into bytes, to be freed.  Returns NULL if it is none. */
static uint8_t *
bytes_of(const char *hex)
{
    const size_t n = strlen(hex) / 2;
    uint8_t *bytes = malloc(n + 1);

    for (size_t i = 0; bytes && i < n; i++) {
        if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1) {
            free(bytes);
            return NULL;
        }
    }
    return bytes;
}

/* Writes the bytes that 'packet' has by the name 'member', if any; 'length'
 * names how many there were. */
static void
write_side(const json_t *packet, enum pcapng_interface interface,
           const char *member, const char *length, const char *fate)
{
    const char *hex = json_string_value(json_object_get(packet, member));
    uint8_t *data = hex ? bytes_of(hex) : NULL, *block;
    struct pcapng_packet p = {
        .interface = interface, .data = data, .comment = fate,
        .time = json_integer_value(json_object_get(packet, "timeNs")),
        .length = json_integer_value(json_object_get(packet, length)),
    };

    if (data) {
        p.captured = strlen(hex) / 2;
        block = malloc(PCAPNG_PACKET_MAX + p.captured + strlen(fate));
        if (block) {
            write_pcap(block, pcapng_packet(block, &p));
        }
        free(block);
    }
    free(data);
}

static void
show_packet(const json_t *packet)
{
    char *fate = fate_of(packet);

    print_packet(packet, fate);
    if (pcap) {
        write_side(packet, PCAPNG_GTPU, "frame", "frameLength", fate);
        write_side(packet, PCAPNG_UE, "packet", "length", fate);
    }
    free(fate);
}

/* The trace. */

static void
start(char *args[])
{
    char *prefix = http_path("/trace?ue=", args[0]);
    char *path = (args[1] ? format_text("%s&seconds=", prefix)
                  : format_text("%s", prefix));
    char *whole = http_path(path, args[1] ? args[1] : "");
    struct answer answer;

    http_request("POST", whole, NULL, &answer);
    free(answer.text);
    free(whole);
    free(path);
    free(prefix);
}

static void
stop(void)
{
    const struct http_call call = { .method = "DELETE", .path = "/trace" };
    struct answer answer;

    http_try(&call, &answer);
    free(answer.text);
}

/* Shows what has come after packet '*number', of which it becomes the last.
 * Returns what the TOF says of the trace, which the caller owns. */
static json_t *
fetch(json_int_t *number)
{
    char *path = format_text("/trace?after=%" JSON_INTEGER_FORMAT, *number);
    json_t *trace = http_get(path), *packet;
    size_t i;

    json_array_foreach (json_object_get(trace, "packets"), i, packet) {
        show_packet(packet);
        *number = json_integer_value(json_object_get(packet, "number"));
    }
    free(path);
    return trace;
}

/* Fetches until there is no more, or the user has had enough, and then what
 * there is.  Returns how many packets have been lost. */
static json_int_t
follow(json_int_t *number)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    unsigned int last = 0;
    json_int_t lost;
    bool more;

    do {
        const bool ending = ended;
        json_t *trace;
        bool idle;

        if (ending && !last++) {
            nanosleep(&pause, NULL);    /* What has come is on its way. */
        }
        trace = fetch(number);
        idle = !json_array_size(json_object_get(trace, "packets"));

        more = (json_is_true(json_object_get(trace, "more"))
                && !(ending && (idle || ++last == LAST_MAX)));
        lost = json_integer_value(json_object_get(trace, "lost"));
        json_decref(trace);
        fflush(stdout);
        if (pcap) {
            fflush(pcap);
        }
        if (more && idle) {
            nanosleep(&pause, NULL);
        }
    } while (more);
    return lost;
}

void
trace_ue(char *args[])
{
    json_int_t number = 0, lost;

    if (trace_pcap_file) {
        open_pcap();
    }
    signal(SIGINT, end);
    signal(SIGTERM, end);
    start(args);
    lost = follow(&number);
    stop();
    fprintf(stderr, "%" JSON_INTEGER_FORMAT " packets seen, %"
            JSON_INTEGER_FORMAT " lost\n", number, lost);
    if (pcap && fclose(pcap)) {
        die(EXIT_USAGE, "%s: %s", trace_pcap_file, strerror(errno));
    }
}
