/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tests of the configuration: what is refused and with which words, what is
 * accepted, and what is printed of it. */

#include "conf/conf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf_yaml.h"
#include "tap.h"

#define S1U "s1u: {enb: enb0, sgw: sgw0}\n"
#define APPS "apps: {interface: app0, address: 192.168.100.1/24}\n"
#define MINIMAL S1U APPS

/* What follows two good lines, and its error. */
static const struct {
    const char *yaml;
    const char *error;
} after_minimal[] = {
    { "foo: 1\n", "f:3: foo: unknown key" },
    { "pinger:\n  intervalms: 3\n", "f:4: pinger.intervalms: unknown key" },
    { "apps: {}\n", "f:3: apps: already given on line 2" },
    { "sessions: {max: 1, max: 2}\n",
      "f:3: sessions.max: already given on line 3" },
    { "'': 1\n", "f:3: a key must be a word" },
    { "? [a]\n: 1\n", "f:3: a key must be a word" },
    { "a\x01: 1\n", "f:3: control characters are not allowed" },

    { "s1u.enb: enb1\n", "f:3: s1u.enb: unknown key" },
    { "functions.NAME.in: fw0\n",
      "f:3: functions.NAME.in: unknown key" },
    { "learn: all\n\"learn\": all\n",
      "f:4: learn: already given on line 3" },
    { "pinger: {<<: {attempts: 3}}\n", "f:3: pinger.<<: unknown key" },

    { "datapath: dpdk\n",
      "f:3: datapath: 'dpdk' is not one of auto, ovs, xdp" },
    { "datapath: [ovs]\n", "f:3: datapath: must be a single value" },
    { "datapath: {ovs: 1}\n", "f:3: datapath: must be a single value" },
    { "datapath:\n", "f:3: datapath: has no value" },
    { "datapath: ''\n", "f:3: datapath: has no value" },
    { "datapath: OVS\n",
      "f:3: datapath: 'OVS' is not one of auto, ovs, xdp" },
    { "learn: 1\n", "f:3: learn: '1' is not one of all, services" },
    { "pinger: {pairing: no}\n",
      "f:3: pinger.pairing: 'no' is not one of proved, observed" },

    { "pinger: 5\n", "f:3: pinger: must be a mapping" },
    { "pinger: [a]\n", "f:3: pinger: must be a mapping" },
    { "pinger:\n  interval_ms: fast\n", "f:4: pinger.interval_ms: 'fast' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 1.5}\n", "f:3: pinger.interval_ms: '1.5' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 0x40}\n", "f:3: pinger.interval_ms: '0x40' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 020}\n", "f:3: pinger.interval_ms: '020' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 1e3}\n", "f:3: pinger.interval_ms: '1e3' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: +20}\n", "f:3: pinger.interval_ms: '+20' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 1_000}\n", "f:3: pinger.interval_ms: '1_000' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: 20 30}\n", "f:3: pinger.interval_ms: '20 30' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: ' 20'}\n", "f:3: pinger.interval_ms: ' 20' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: [20]}\n",
      "f:3: pinger.interval_ms: must be a single value" },
    { "pinger: {interval_ms: ~}\n", "f:3: pinger.interval_ms: has no value" },
    { "pinger: {interval_ms: -20}\n", "f:3: pinger.interval_ms: '-20' "
      "is not a whole number (10 to 60000)" },
    { "pinger: {interval_ms: ''}\n", "f:3: pinger.interval_ms: has no value" },
    { "pinger: {interval_ms: 9}\n", "f:3: pinger.interval_ms: '9' "
      "is out of range (10 to 60000)" },
    { "pinger: {interval_ms: 60001}\n", "f:3: pinger.interval_ms: '60001' "
      "is out of range (10 to 60000)" },
    { "pinger: {attempts: 0}\n",
      "f:3: pinger.attempts: '0' is out of range (1 to 100)" },
    { "pinger: {attempts: 101}\n",
      "f:3: pinger.attempts: '101' is out of range (1 to 100)" },
    { "pinger: {rate_per_second: 1000001}\n", "f:3: pinger.rate_per_second: "
      "'1000001' is out of range (1 to 1000000)" },
    { "sessions: {max: 16000001}\n",
      "f:3: sessions.max: '16000001' is out of range (1 to 16000000)" },
    { "sessions: {max: 18446744073709551617}\n", "f:3: sessions.max: "
      "'18446744073709551617' is out of range (1 to 16000000)" },
    { "sessions: {max: 99999999999999999999999}\n", "f:3: sessions.max: "
      "'99999999999999999999999' is out of range (1 to 16000000)" },
    { "sessions: {max: 4294967297}\n", "f:3: sessions.max: "
      "'4294967297' is out of range (1 to 16000000)" },
    { "sessions: {idle_seconds: 86401}\n",
      "f:3: sessions.idle_seconds: '86401' is out of range (1 to 86400)" },
    { "sessions: {evidence_seconds: 3601}\n",
      "f:3: sessions.evidence_seconds: '3601' is out of range (1 to 3600)" },
    { "sessions: {max: {}}\n", "f:3: sessions.max: must be a single value" },

    { "pinger:\n  targets:\n    - 203.0.113.10\n    - 203.0.113\n",
      "f:6: pinger.targets[1]: '203.0.113' is not an IP address" },
    { "pinger: {targets: nowhere.example}\n",
      "f:3: pinger.targets: 'nowhere.example' is not an IP address" },
    { "pinger: {targets: 203.0.113.0/24}\n",
      "f:3: pinger.targets: '203.0.113.0/24' is not an IP address" },
    { "pinger: {targets: 127.0.0.1}\n", "f:3: pinger.targets: '127.0.0.1' "
      "is not an address that a host can have" },
    { "pinger: {targets: 'ff02::1'}\n", "f:3: pinger.targets: 'ff02::1' "
      "is not an address that a host can have" },
    { "pinger: {targets: '::ffff:192.0.2.1'}\n", "f:3: pinger.targets: "
      "'::ffff:192.0.2.1' is not an IP address" },
    { "pinger: {targets: [192.0.2.1, 192.0.2.1]}\n",
      "f:3: pinger.targets[1]: '192.0.2.1' is there twice" },
    { "pinger: {targets: {a: 1}}\n", "f:3: pinger.targets: must be a list" },
    { "pinger: {targets: [[1]]}\n",
      "f:3: pinger.targets[0]: must be a single value" },
    { "pinger: {targets: ['']}\n", "f:3: pinger.targets[0]: has no value" },

    { "api: [listen]\n", "f:3: api: must be a mapping" },
    { "api: ''\n", "f:3: api: must be a mapping" },
    { "registry: [[a]]\n", "f:3: registry[0]: must be a single value" },
    { "standby: {follow: ''}\n", "f:3: standby.follow: has no value" },

    { "functions: [fw]\n", "f:3: functions: must be a mapping" },
    { "functions: {fw: fw0}\n", "f:3: functions.fw: must be a mapping" },
    { "functions:\n  fw:\n", "f:4: functions.fw.in: missing" },
    { "functions:\n  fw:\n    in: fw0\n", "f:4: functions.fw.out: missing" },
    { "functions:\n  fw: {in: fw0, Out: fw1}\n",
      "f:4: functions.fw.Out: unknown key" },
    { "functions: {~: {in: a, out: b}}\n", "f:3: functions.~: '~' "
      "is not a name: only letters, digits, '-', '_' and '.'" },
    { "functions:\n  fw: {in: fw0, out: fw1, via: x}\n",
      "f:4: functions.fw.via: unknown key" },
    { "functions:\n  fw: {in: fw0, out: much-too-long-name}\n",
      "f:4: functions.fw.out: 'much-too-long-name' is not an interface name: "
      "longer than 15 characters" },
    { "functions: {f w: {in: fw0, out: fw1}}\n", "f:3: functions.f w: 'f w' "
      "is not a name: only letters, digits, '-', '_' and '.'" },
    { "functions:\n  fw: {in: a, out: b}\n  fw: {in: c, out: d}\n",
      "f:5: functions.fw: already given on line 4" },
    { "functions:\n  f-w: {in: a, out: b}\n  f.w: {in: c, out: d}\n",
      "f:5: functions.f.w: too similar to the function 'f-w'" },
    { "functions:\n  a: {in: a, out: b}\n  b: {in: c, out: a}\n",
      "f:5: functions.b.out: 'a' has another role already" },
    { "functions: {a: {in: enb0, out: b}}\n",
      "f:3: functions.a.in: 'enb0' has another role already" },

    { "api: {listen: 8080}\n",
      "f:3: api.listen: '8080' is not ADDRESS:PORT" },
    { "api: {listen: 'localhost:80'}\n", "f:3: api.listen: 'localhost:80' "
      "is not ADDRESS:PORT (an IPv6 address goes in brackets)" },
    { "api: {listen: '::1:8080'}\n", "f:3: api.listen: '::1:8080' "
      "is not ADDRESS:PORT (an IPv6 address goes in brackets)" },
    { "api: {listen: '[127.0.0.1]:80'}\n", "f:3: api.listen: "
      "'[127.0.0.1]:80' is not ADDRESS:PORT (an IPv6 address goes in "
      "brackets)" },
    { "api: {listen: '127.0.0.1:0'}\n",
      "f:3: api.listen: '127.0.0.1:0' has no valid port" },
    { "api: {listen: '127.0.0.1:65536'}\n",
      "f:3: api.listen: '127.0.0.1:65536' has no valid port" },
    { "api: {listen: '[::1]:'}\n",
      "f:3: api.listen: '[::1]:' has no valid port" },
    { "api: {listen: none}\n", "f:3: api.listen: 'none' needs api.unix" },
    { "api: {unix: sock}\n", "f:3: api.unix: 'sock' is not an absolute path" },
    { "api: {tls_cert: /c}\n", "f:3: api.tls_key: missing" },
    { "api: {tls_key: /k}\n", "f:3: api.tls_cert: missing" },
    { "api: {interface: a/b}\n",
      "f:3: api.interface: 'a/b' is not an interface name" },

    { "registry: tcp:192.0.2.1:6641\n", "f:3: registry: must be a list" },
    { "registry: [\"tcp:192.0.2.1:6641\", \"http://x\"]\n",
      "f:3: registry[1]: 'http://x' is not tcp:ADDRESS:PORT, "
      "ssl:ADDRESS:PORT or unix:PATH" },
    { "standby: {listen: none}\n",
      "f:3: standby.listen: 'none' is not ADDRESS:PORT" },
    { "standby:\n  follow: [10.9.0.2:7677, b:7677]\n",
      "f:4: standby.follow[1]: 'b:7677' is not ADDRESS:PORT (an IPv6 address "
      "goes in brackets)" },
    { "standby: {leader: yes}\n", "f:3: standby.leader: unknown key" },
    { "standby: {names: tof-2}\n", "f:3: standby.names: needs section tls" },
    { "standby: {names: [a, 'b c']}\n", "f:3: standby.names[1]: 'b c' is not "
      "a name: only letters, digits, '-', '_' and '.'" },
    { "tls: {cert: /c, key: /k}\n", "f:3: tls.ca: missing" },
    { "tls:\n", "f:3: tls.cert: missing" },
    { "tls: {cert: c, key: /k, ca: /a}\n",
      "f:3: tls.cert: 'c' is not an absolute path" },
    { "run_dir: tof\n", "f:3: run_dir: 'tof' is not an absolute path" },
    { "state_dir: ~\n", "f:3: state_dir: has no value" },
    { "usage: {file: }\n", "f:3: usage.file: has no value" },
    { "usage: {file: usage.jsonl}\n",
      "f:3: usage.file: 'usage.jsonl' is not an absolute path" },
    { "usage: {interval_seconds: 0}\n",
      "f:3: usage.interval_seconds: '0' is out of range (1 to 86400)" },
    { "state_dir: /a\nrun_dir: \"/\\x07\"\n",
      "f:4: run_dir: has characters that are not printable ASCII" },
};

/* Whole files. */
static const struct {
    const char *yaml;
    const char *error;
} whole[] = {
    { "", "f:1: file is empty" },
    { "# nothing\n\n", "f:3: file is empty" },
    { "---\n", "f:2: the file must be a mapping of keys to values" },
    { "just words\n", "f:1: the file must be a mapping of keys to values" },
    { "- a\n- b\n", "f:1: the file must be a mapping of keys to values" },
    { "s1u:\n\tenb: enb0\n",
      "f:2: found character that cannot start any token" },
    { "s1u: {enb: enb0\n", "f:2: did not find expected ',' or '}'" },
    { MINIMAL "---\nfoo: 1\n", "f:3: more than one document" },
    { "s1u: &a {enb: x, sgw: y}\napps: *a\n",
      "f:2: apps: aliases are not supported" },
    { "a: [[[[[[[[[[1]]]]]]]]]]\n",
      "f:1: a[0][0][0][0][0][0][0]: nested too deeply" },
    { "{}\n", "f:1: s1u: missing" },
    { S1U, "f:1: apps: missing" },
    { APPS, "f:1: s1u: missing" },
    { "\n\ns1u: {enb: enb0, sgw: sgw0}\n", "f:3: apps: missing" },
    { APPS "s1u:\n", "f:2: s1u: needs enb and sgw, or interface" },
    { APPS "s1u:\n  enb: enb0\n", "f:2: s1u.sgw: missing" },
    { APPS "s1u:\n  sgw: enb0\n", "f:2: s1u.enb: missing" },
    { APPS "s1u: {enb: e, sgw: e}\n",
      "f:2: s1u.sgw: 'e' has another role already" },
    { APPS "s1u: {enb: app0, sgw: e}\n",
      "f:1: apps.interface: 'app0' has another role already" },
    { APPS "s1u: {enb: 'e n', sgw: e}\n",
      "f:2: s1u.enb: 'e n' is not an interface name" },
    { APPS "s1u:\n  enb: x\n  interface: i\n",
      "f:4: s1u.interface: excludes enb and sgw" },
    { APPS "s1u: {interface: i}\n", "f:2: s1u.enodebs: missing" },
    { APPS "s1u: {enb: e, sgw: s, mtu: 1279}\n",
      "f:2: s1u.mtu: '1279' is out of range (1280 to 65535)" },
    { APPS "s1u: {enb: e, sgw: s, path_mtus: [10.1.0.0/28]}\n",
      "f:2: s1u.path_mtus[0]: '10.1.0.0/28' is not NETWORK MTU, as in "
      "10.1.0.0/28 1400 (MTU 1280 to 65535)" },
    { APPS "s1u: {enb: e, sgw: s, path_mtus: [10.1.0.0/33 1400]}\n",
      "f:2: s1u.path_mtus[0]: '10.1.0.0/33 1400' has no valid prefix "
      "length" },
    { APPS "s1u: {interface: i, enodebs: [10.1.0.0/28]}\n",
      "f:2: s1u.sgws: missing" },
    { APPS "s1u:\n  interface: i\n  enodebs: [10.1.0.0/24]\n"
      "  sgws:\n  - 10.2.0.1\n  - 10.1.0.16/28\n",
      "f:7: s1u.sgws[1]: '10.1.0.16/28' overlaps s1u.enodebs: the direction "
      "of a packet would be unknown" },
    { APPS "s1u: {enb: e, sgw: s, enodebs: 10.1.0.0/28}\n",
      "f:2: s1u.enodebs: must be a list" },
    { APPS "s1u: {enb: e, sgw: s, enodebs: [10.1.0.0/33]}\n",
      "f:2: s1u.enodebs[0]: '10.1.0.0/33' has no valid prefix length" },
    { S1U "apps: {address: 192.0.2.1/24}\n", "f:2: apps.interface: missing" },
    { S1U "apps: {interface: app0}\n", "f:2: apps.address: missing" },
    { S1U "apps: {interface: app0, address: []}\n",
      "f:2: apps.address: missing" },
    { S1U "apps:\n  interface: app0\n  address: []\n",
      "f:4: apps.address: missing" },
    { S1U "apps: {interface: app0, adress: 192.0.2.1/24}\n",
      "f:2: apps.adress: unknown key" },
    { S1U "apps: {interface: app0, address: 192.0.2.1}\n",
      "f:2: apps.address: '192.0.2.1' has no prefix length, as in "
      "192.0.2.1/24" },
    { S1U "apps: {interface: app0, address: 0.0.0.0/24}\n",
      "f:2: apps.address: '0.0.0.0/24' is not an address that a host can "
      "have" },
    { S1U "apps:\n  interface: app0\n  address: [192.0.2.1/24,\n"
      "   fe80:/64]\n",
      "f:5: apps.address[1]: 'fe80:/64' is not an IP address" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, namespace: a/b}\n",
      "f:2: apps.namespace: 'a/b' is not a name: only letters, digits, '-', "
      "'_' and '.'" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, "
      "may_connect: maybe}\n",
      "f:2: apps.may_connect: 'maybe' is not one of true, false, yes, no, "
      "on, off" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, "
      "may_connect: No}\n",
      "f:2: apps.may_connect: 'No' is not one of true, false, yes, no, "
      "on, off" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, "
      "may_connect: 0}\n",
      "f:2: apps.may_connect: '0' is not one of true, false, yes, no, "
      "on, off" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, "
      "may_connect: }\n", "f:2: apps.may_connect: has no value" },
    { S1U "apps: {interface: app0, address: 192.0.2.1/24, routes: [x]}\n",
      "f:2: apps.routes[0]: 'x' is not an IP address" },
};

static void
check_error_of(const char *yaml, size_t len, const char *expected)
{
    char *error;
    struct conf *conf = conf_parse(yaml, len, "f", &error);

    if (!tap_ok(!conf && error && !strcmp(error, expected), "%s", expected)) {
        tap_diag("got: %s", error ? error : "no error");
    }
    free(error);
    conf_free(conf);
}

static void
check_error(const char *yaml, const char *expected)
{
    check_error_of(yaml, strlen(yaml), expected);
}

static void
test_errors(void)
{
    for (size_t i = 0; i < sizeof after_minimal / sizeof *after_minimal; i++) {
        char yaml[1024];

        snprintf(yaml, sizeof yaml, MINIMAL "%s", after_minimal[i].yaml);
        check_error(yaml, after_minimal[i].error);
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        check_error(whole[i].yaml, whole[i].error);
    }
}

/* What is no text, or none that YAML allows. */
static void
test_bytes(void)
{
#define BYTES(S) S, sizeof S - 1
    static const struct {
        const char *bytes;
        size_t len;
        const char *error;
    } cases[] = {
        { BYTES("s1u: {enb: e\0nb0}\n"),
          "f:1: control characters are not allowed" },
        { BYTES(MINIMAL "\0"), "f:3: control characters are not allowed" },
        { BYTES(MINIMAL "run_dir: \"/a\\0b\"\n"), "f:3: run_dir: has "
          "characters that are not printable ASCII" },
        { BYTES(MINIMAL "\"run_dir\\0\": /a\n"),
          "f:3: a key must be a word" },
        { BYTES(MINIMAL "run_dir: /\xff\n"),
          "f:3: invalid leading UTF-8 octet" },
        { BYTES(MINIMAL "run_dir: /\xc0\xaf\n"),
          "f:3: invalid length of a UTF-8 sequence" },
        { BYTES(MINIMAL "run_dir: /\xc3"),
          "f:3: incomplete UTF-8 octet sequence" },
        { BYTES(MINIMAL "run_dir: /\xc3\xa9\n"), "f:3: run_dir: has "
          "characters that are not printable ASCII" },
        { BYTES(MINIMAL "\xef\xbb\xbf" "learn: all\n"),
          "f:3: did not find expected key" },
        { BYTES("s1u: {enb: a, sgw: b}\r\napps:\r\n  interface: c/\r\n"),
          "f:3: apps.interface: 'c/' is not an interface name" },
        { BYTES("\xef\xbb\xbf"), "f:1: file is empty" },
        { BYTES("%YAML 2.0\n---\n" MINIMAL),
          "f:1: found incompatible YAML document" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_error_of(cases[i].bytes, cases[i].len, cases[i].error);
    }
}

/* What a small text could become, or a large one cost. */
static void
test_large(void)
{
    static const struct {
        const char *start, *repeated;
        size_t n;
        const char *end, *error;
    } cases[] = {
        { "a: ", "[", 1000000, "",
          "f:1: a[0][0][0][0][0][0][0]: nested too deeply" },
        { "", "{a: ", 250000, "",
          "f:1: a.a.a.a.a.a.a.a: nested too deeply" },
        { "a:\n ", "- ", 500000, "",
          "f:2: a[0][0][0][0][0][0][0]: nested too deeply" },
        { "", "? ", 500000, "", "f:1: a key must be a word" },
        { "a: &a [x]\n", "b: &b [*a, *a, *a]\n", 1, "c: [*b, *b, *b]\n",
          "f:2: b[0]: aliases are not supported" },
        { "a: &a\n  b: ", "*a", 1, "\n",
          "f:2: a.b: aliases are not supported" },
        { "a: [", "&a x, ", 100000, "]\n",
          "f:1: a[9998]: too many values in the file" },
        { MINIMAL "run_dir: /", "r", 1000000, "\n",
          "f:3: run_dir: longer than 255 characters" },
        { MINIMAL "state_dir: /", "s", 255, "\n",
          "f:3: state_dir: longer than 255 characters" },
        { MINIMAL "run_dir: /", "r", 80, "\n", "f:3: run_dir: "
          "'/rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
          "rrrrrrrrrrrrr' is too long: no room for the names of sockets" },
        { MINIMAL, "k", 65, ": 1\n", "f:3: a key must be a word" },
        { MINIMAL "'", "k", 1000000, "': 1\n",
          "f:3: could not find expected ':'" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        char *yaml;
        FILE *stream = open_memstream(&yaml, &size);

        fputs(cases[i].start, stream);
        for (size_t j = 0; j < cases[i].n; j++) {
            fputs(cases[i].repeated, stream);
        }
        fputs(cases[i].end, stream);
        fclose(stream);
        check_error_of(yaml, size, cases[i].error);
        free(yaml);
    }
}

static void
check_read_error(const char *file, const char *expected)
{
    char *error;
    struct conf *conf = conf_read(file, &error);

    if (!tap_ok(!conf && error && !strcmp(error, expected), "%s", expected)) {
        tap_diag("got: %s", error ? error : "no error");
    }
    free(error);
    conf_free(conf);
}

static void
test_files(void)
{
    char file[] = "test_conf.XXXXXX";
    char expected[128];
    int fd = mkstemp(file);

    check_read_error("/nonexistent/tof.yaml",
                     "/nonexistent/tof.yaml: No such file or directory");
    check_read_error("/", "/: Is a directory");
    if (ftruncate(fd, CONF_FILE_MAX + 1)) {
        tap_ok(false, "ftruncate");
    }
    snprintf(expected, sizeof expected, "%s: larger than 1048576 bytes", file);
    check_read_error(file, expected);
    if (ftruncate(fd, 100)) {
        tap_ok(false, "ftruncate");
    }
    snprintf(expected, sizeof expected,
             "%s:1: control characters are not allowed", file);
    check_read_error(file, expected);
    close(fd);
    unlink(file);
}

/* The many children of one mapping must not cost time by the square. */
static void
test_many_keys(void)
{
    size_t size;
    char *yaml;
    char *error;
    FILE *stream = open_memstream(&yaml, &size);

    for (int i = 0; i < 60000; i++) {
        fprintf(stream, "k%d: 1\n", i);
    }
    fclose(stream);
    struct conf *conf = conf_parse(yaml, size, "f", &error);
    tap_ok(!conf && !strcmp(error, "f:10000: k9999: too many values in the "
                            "file"), "many keys");
    free(error);
    free(yaml);
}

static const struct {
    const char *name;
    const char *yaml;
    const char *printed;
} printed[] = {
    { "defaults", MINIMAL,
      "s1u_enb='enb0'\ns1u_sgw='sgw0'\ns1u_interface=''\ns1u_enodebs=''\n"
      "s1u_sgws=''\ns1u_mtu='0'\ns1u_path_mtus=''\n"
      "apps_interface='app0'\n"
      "apps_address='192.168.100.1/24'\napps_routes=''\n"
      "apps_namespace='tof-app'\napps_may_connect='true'\n"
      "apps_connections_per_ue='2000'\nfunctions=''\n"
      "datapath='auto'\nlearn='all'\nprivacy='none'\n"
      "pinger_targets=''\n"
      "pinger_interval_ms='200'\npinger_attempts='5'\n"
      "pinger_rate_per_second='20000'\npinger_pairing='proved'\n"
      "sessions_max='1000000'\nsessions_idle_seconds='300'\n"
      "sessions_evidence_seconds='10'\napi_listen='127.0.0.1:8080'\n"
      "api_interface=''\napi_unix=''\napi_token_file=''\n"
      "api_allow_without_token='false'\napi_hosts=''\napi_tls_cert=''\n"
      "api_tls_key=''\ntrace_allow='false'\ntrace_payload='false'\n"
      "usage_file='/var/lib/tof/usage.jsonl'\n"
      "usage_interval_seconds='300'\nstandby_listen=''\n"
      "standby_follow=''\nstandby_names=''\ntls_cert=''\n"
      "tls_key=''\ntls_ca=''\n"
      "registry=''\nrun_dir='/run/tof'\n"
      "state_dir='/var/lib/tof'\n" },
    { "every key",
      "s1u:\n  interface: s1u0\n  enodebs: [10.1.0.5/28, 'fd01::/64']\n"
      "  sgws: [10.1.0.16/28, 10.2.0.1]\n"
      "  mtu: 1400\n  path_mtus: [10.1.0.1/28 1280, 'fd01::1 65535']\n"
      "apps:\n  interface: app0\n  address: [192.168.100.1/24,\n"
      "    'fd00:100::1/64']\n  routes: [172.16.0.0/12]\n"
      "  namespace: apps\n  may_connect: no\n  connections_per_ue: 50\n"
      "functions: {f-w.1: {in: fw0, out: fw1}, dpi: {in: d0, out: d1}}\n"
      "datapath: ovs\nlearn: services\nprivacy: hash\n"
      "pinger: {targets: [203.0.113.10, '2001:db8::10'], interval_ms: 10,\n"
      "  attempts: 100, rate_per_second: 1, pairing: observed}\n"
      "sessions: {max: 16000000, idle_seconds: 1, evidence_seconds: 3600}\n"
      "api: {listen: '[::1]:80', interface: mgmt0, unix: /run/a.sock,\n"
      "  token_file: \"/etc/it's\", allow_without_token: yes,\n"
      "  hosts: [tof1, tof1.example.net], tls_cert: /c, tls_key: /k}\n"
      "trace: {allow: yes, payload: yes}\n"
      "usage: {file: /u/r, interval_seconds: 86400}\n"
      "standby: {listen: '[fd00::1]:7677', follow: 10.9.0.2:7677,\n"
      "  names: tof-2.example.net}\n"
      "tls: {cert: /tc, key: /tk, ca: /ca}\n"
      "registry: ['ssl:192.0.2.1:6641', 'unix:/x']\n"
      "run_dir: /run/$(x)\nstate_dir: /s\n",
      "s1u_enb=''\ns1u_sgw=''\ns1u_interface='s1u0'\n"
      "s1u_enodebs='10.1.0.0/28 fd01::/64'\n"
      "s1u_sgws='10.1.0.16/28 10.2.0.1/32'\ns1u_mtu='1400'\n"
      "s1u_path_mtus='10.1.0.0/28=1280 fd01::1/128=65535'\n"
      "apps_interface='app0'\n"
      "apps_address='192.168.100.1/24 fd00:100::1/64'\n"
      "apps_routes='172.16.0.0/12'\n"
      "apps_namespace='apps'\napps_may_connect='false'\n"
      "apps_connections_per_ue='50'\n"
      "functions='f-w.1 dpi'\nfunctions_f_w_1_in='fw0'\n"
      "functions_f_w_1_out='fw1'\nfunctions_dpi_in='d0'\n"
      "functions_dpi_out='d1'\n"
      "datapath='ovs'\nlearn='services'\nprivacy='hash'\n"
      "pinger_targets='203.0.113.10 2001:db8::10'\n"
      "pinger_interval_ms='10'\npinger_attempts='100'\n"
      "pinger_rate_per_second='1'\npinger_pairing='observed'\n"
      "sessions_max='16000000'\nsessions_idle_seconds='1'\n"
      "sessions_evidence_seconds='3600'\napi_listen='[::1]:80'\n"
      "api_interface='mgmt0'\napi_unix='/run/a.sock'\n"
      "api_token_file='/etc/it'\\''s'\napi_allow_without_token='true'\n"
      "api_hosts='tof1 tof1.example.net'\napi_tls_cert='/c'\n"
      "api_tls_key='/k'\ntrace_allow='true'\ntrace_payload='true'\n"
      "usage_file='/u/r'\n"
      "usage_interval_seconds='86400'\nstandby_listen='[fd00::1]:7677'\n"
      "standby_follow='10.9.0.2:7677'\n"
      "standby_names='tof-2.example.net'\n"
      "tls_cert='/tc'\ntls_key='/tk'\n"
      "tls_ca='/ca'\nregistry='ssl:192.0.2.1:6641 unix:/x'\n"
      "run_dir='/run/$(x)'\nstate_dir='/s'\n" },
};

static void
test_usage_file(void)
{
    static const struct {
        const char *yaml, *file;
    } cases[] = {
        { MINIMAL "usage: {file: \"\"}\n", NULL },
        { MINIMAL "usage: {interval_seconds: 60}\nstate_dir: /s\n",
          "/s/usage.jsonl" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *error;
        struct conf *conf = conf_parse(cases[i].yaml, strlen(cases[i].yaml),
                                       "f", &error);

        tap_ok(conf && (cases[i].file && conf->usage.file
                        ? !strcmp(conf->usage.file, cases[i].file)
                        : !cases[i].file && !conf->usage.file),
               "file of usage records: %s",
               cases[i].file ? cases[i].file : "none");
        conf_free(conf);
        free(error);
    }
}

static char *
print_conf(const char *yaml)
{
    char *error;
    char *text;
    size_t size;
    struct conf *conf = conf_parse(yaml, strlen(yaml), "f", &error);

    if (!conf) {
        return error;
    }
    FILE *stream = open_memstream(&text, &size);
    conf_print(conf, stream);
    fclose(stream);
    conf_free(conf);
    return text;
}

static void
test_print(void)
{
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        char *text = print_conf(printed[i].yaml);

        if (!tap_ok(!strcmp(text, printed[i].printed), "printed: %s",
                    printed[i].name)) {
            tap_diag("got:\n%s", text);
        }
        free(text);
    }
}

/* Different ways to write the same. */
static void
test_same(void)
{
    static const char *const same[] = {
        MINIMAL "pinger:\nsessions:\nfunctions:\nregistry:\napi:\n",
        MINIMAL "pinger: {}\nsessions: {}\nfunctions: {}\nregistry: []\n",
        "# c\n---\n\"s1u\":\n  'enb': \"enb0\"\n  sgw: >-\n    sgw0\n"
        "apps:\n  interface: app0\n  address:\n  - 192.168.100.1/24\n"
        "  may_connect: on\n...\n",
        "{\"s1u\": {\"enb\": \"enb0\", \"sgw\": \"sgw0\"}, \"apps\": "
        "{\"interface\": \"app0\", \"address\": \"192.168.100.1/24\"}}",
        MINIMAL "pinger: {interval_ms: \"200\", targets: []}\n",
        MINIMAL "pinger: {interval_ms: '200', attempts: 5}\nlearn: 'all'\n",
        "\xef\xbb\xbf" MINIMAL,
        "s1u:\r\n  enb: enb0\r\n  sgw: sgw0\r\n" "apps:\t{interface: app0,"
        "\taddress: 192.168.100.1/24, may_connect: 'yes'}\r\n",
        "s1u: &a {enb: &b enb0, sgw: sgw0}\n" APPS,
        "%YAML 1.1\n---\n" MINIMAL "sessions: {max: !!int 1000000}\n",
        MINIMAL "api:\nfunctions: ~\nregistry: null\nstandby: {follow: }\n",
    };

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *text = print_conf(same[i]);

        if (!tap_ok(!strcmp(text, printed[0].printed),
                    "the same as the minimum, %zu", i)) {
            tap_diag("got: %s", text);
        }
        free(text);
    }
}

static void
test_listen_none(void)
{
    const char *yaml = MINIMAL "api: {listen: none, unix: /run/x}\n";
    char *error;
    struct conf *conf = conf_parse(yaml, strlen(yaml), "f", &error);

    tap_ok(conf && !conf->api.listen && conf->api.unix_path, "listen: none");
    conf_free(conf);
}

static bool
contains(const struct ip_prefix_list *list, const char *s)
{
    struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    if (inet_pton(AF_INET, s, &addr.s6_addr[12]) != 1) {
        inet_pton(AF_INET6, s, &addr);
    }
    return ip_prefix_list_contains(list, &addr);
}

static void
test_prefixes(void)
{
    const char *yaml = "s1u: {enb: a, sgw: b, enodebs: [10.1.0.0/28, "
                       "10.2.0.1, 'fd01::/63'], sgws: ['::/0']}\n"
                       "apps: {interface: c, address: 192.0.2.1/24, "
                       "routes: [0.0.0.0/0]}\n";
    char *error;
    struct conf *conf = conf_parse(yaml, strlen(yaml), "f", &error);
    const struct ip_prefix_list *list = &conf->s1u.enodebs;
    const struct ip_prefix_list none = { NULL, 0 };

    tap_ok(contains(list, "10.1.0.0") && contains(list, "10.1.0.15")
           && !contains(list, "10.1.0.16") && !contains(list, "10.0.255.255"),
           "IPv4 prefix");
    tap_ok(contains(list, "10.2.0.1") && !contains(list, "10.2.0.0"),
           "IPv4 host");
    tap_ok(contains(list, "fd01::1") && contains(list, "fd01:0:0:1::")
           && !contains(list, "fd01:0:0:2::"), "IPv6 prefix");
    tap_ok(contains(&conf->s1u.sgws, "fd01::1")
           && !contains(&conf->s1u.sgws, "10.1.0.1"),
           "all of IPv6 is not IPv4");
    tap_ok(contains(&conf->apps.routes, "192.0.2.1")
           && !contains(&conf->apps.routes, "fd01::1"),
           "all of IPv4 is not IPv6");
    tap_ok(!contains(&none, "10.1.0.1"), "empty list");
    conf_free(conf);
}

/* The example that is installed, which shows all keys with their defaults. */
static void
test_example(const char *file)
{
    char *error;
    struct conf *conf = conf_read(file, &error);

    if (!tap_ok(conf != NULL, "%s", file)) {
        tap_diag("%s", error);
    }
    free(error);
    conf_free(conf);
}

int
main(void)
{
    const char *example = getenv("TOF_EXAMPLE_CONF");

    test_errors();
    test_bytes();
    test_large();
    test_files();
    test_many_keys();
    test_print();
    test_usage_file();
    test_same();
    test_listen_none();
    test_prefixes();
    test_example(example ? example : "conf/tof.yaml");
    return tap_done();
}
