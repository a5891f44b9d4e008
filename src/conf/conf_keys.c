/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The table of keys: see conf_keys.h for the place in the flow.
 *
 * What a new key needs is a row here, and a line ".It Ic PATH" in
 * man/tof.yaml.5, which "make manual" completes. */

#include "conf/conf_keys.h"

#include "conf/conf_types.h"
#include "conf/conf_value.h"

/* Lists end with NULL. */
static const char *const booleans[] = { "true", "false", "yes", "no", "on",
                                        "off", NULL };
static const char *const datapaths[] = {
    [DATAPATH_AUTO] = "auto", [DATAPATH_OVS] = "ovs", [DATAPATH_XDP] = "xdp",
    NULL
};
static const char *const learns[] = {
    [LEARN_ALL] = "all", [LEARN_SERVICES] = "services", NULL
};
static const char *const privacies[] = {
    [PRIVACY_NONE] = "none", [PRIVACY_SHORTEN] = "shorten",
    [PRIVACY_HASH] = "hash", NULL
};
static const char *const pairings[] = {
    [PAIRING_PROVED] = "proved", [PAIRING_OBSERVED] = "observed", NULL
};

/* The offset of MEMBER in struct STRUCT; it must have type TYPE. */
#define OFFSET(STRUCT, MEMBER, TYPE) \
    _Generic(((struct STRUCT *) NULL)->MEMBER, \
             TYPE: offsetof(struct STRUCT, MEMBER))

#define ROW(PATH, MEMBER, TYPE, KIND, DEFAULT, HELP) \
    .path = PATH, .kind = &conf_kind_##KIND, \
    .offset = OFFSET(conf, MEMBER, TYPE), .def = DEFAULT, .help = HELP

/* A row for each type of members. */
#define TEXT(PATH, MEMBER, KIND, DEFAULT, HELP) \
    { ROW(PATH, MEMBER, char *, KIND, DEFAULT, HELP) }
#define NUMBER(PATH, MEMBER, MIN, MAX, DEFAULT, HELP) \
    { ROW(PATH, MEMBER, unsigned int, number, DEFAULT, HELP), \
      .min = MIN, .max = MAX }
#define WORD(PATH, MEMBER, WORDS, DEFAULT, HELP) \
    { ROW(PATH, MEMBER, unsigned int, word, DEFAULT, HELP), .words = WORDS }
#define BOOLEAN(PATH, MEMBER, DEFAULT, HELP) \
    { ROW(PATH, MEMBER, bool, boolean, DEFAULT, HELP), .words = booleans }
#define MANY(PATH, ITEMS, N, TYPE, SHAPE, KIND, DEFAULT, HELP) \
    { ROW(PATH, ITEMS, TYPE *, KIND, DEFAULT, HELP), \
      .n_offset = OFFSET(conf, N, size_t), .shape = CONF_##SHAPE }
#define PREFIXES(PATH, LIST, SHAPE, KIND, DEFAULT, HELP) \
    MANY(PATH, LIST.prefixes, LIST.n, struct ip_prefix, SHAPE, KIND, DEFAULT, \
         HELP)
#define TEXTS(PATH, LIST, SHAPE, KIND, DEFAULT, HELP) \
    MANY(PATH, LIST.items, LIST.n, char *, SHAPE, KIND, DEFAULT, HELP)
#define OF_FUNCTION(KEY, MEMBER, HELP) \
    { .path = CONF_FUNCTION KEY, .kind = &conf_kind_interface, \
      .of_function = true, .def = CONF_REQUIRED, .help = HELP, \
      .offset = OFFSET(conf_function, MEMBER, char *) }

const char CONF_REQUIRED[] = "required";

const struct conf_key conf_keys[] = {
    TEXT("s1u.enb", s1u.enb, interface, NULL,
         "The adapter towards the eNodeBs."),
    TEXT("s1u.sgw", s1u.sgw, interface, NULL,
         "The adapter towards the Serving Gateways."),
    TEXT("s1u.interface", s1u.interface, interface, NULL,
         "The single adapter, instead of those two."),
    PREFIXES("s1u.enodebs", s1u.enodebs, MANY, network, NULL,
             "The eNodeBs."),
    PREFIXES("s1u.sgws", s1u.sgws, MANY, network, NULL,
             "The Serving Gateways, likewise."),
    NUMBER("s1u.mtu", s1u.mtu, CONF_MTU_MIN, CONF_MTU_MAX, NULL,
           "The MTU of the paths to the eNodeBs, where that is less than the "
           "adapter's."),
    MANY("s1u.path_mtus", s1u.path_mtus, s1u.n_path_mtus,
         struct ip_prefix_mtu, MANY, network_mtu, NULL,
         "The same for some eNodeBs, such as 10.1.0.0/28 1400."),

    TEXT("apps.interface", apps.interface, interface, CONF_REQUIRED,
         "The adapter of the ME Apps' network."),
    PREFIXES("apps.address", apps.address, ONE_OR_MANY, host_prefix,
             CONF_REQUIRED,
             "The host's own address on that adapter, such as "
             "192.168.100.1/24."),
    PREFIXES("apps.routes", apps.routes, MANY, network, NULL,
             "More networks that are reached by this adapter."),
    TEXT("apps.namespace", apps.namespace, name, "tof-app",
         "The network namespace in which NAT is done."),
    BOOLEAN("apps.may_connect", apps.may_connect, "true",
            "May ME Apps send the first packet to a UE?"),
    NUMBER("apps.connections_per_ue", apps.connections_per_ue, 1, 100000,
           "2000", "Most connections of one UE, in each address family."),

    OF_FUNCTION("in", in,
                "Where the function takes packets that go towards the ME "
                "App."),
    OF_FUNCTION("out", out, "Where it hands them on."),

    WORD("datapath", datapath, datapaths, "auto", "What terminates tunnels."),
    WORD("learn", learn, learns, "all", "Which sessions to learn."),
    WORD("privacy", privacy, privacies, "none",
         "How the log shows addresses of UEs."),

    MANY("pinger.targets", pinger.targets, pinger.n_targets, struct in6_addr,
         ONE_OR_MANY, address, NULL,
         "Hosts beyond the Serving Gateway that answer pings."),
    NUMBER("pinger.interval_ms", pinger.interval_ms, 10, 60000, "200",
           "Milliseconds between attempts for one tunnel."),
    NUMBER("pinger.attempts", pinger.attempts, 1, 100, "5",
           "Requests for one tunnel before the Pinger gives up, until it is "
           "asked again."),
    NUMBER("pinger.rate_per_second", pinger.rate_per_second, 1, 1000000,
           "20000", "Most requests in a second, over all tunnels."),
    WORD("pinger.pairing", pinger.pairing, pairings, "proved",
         "Which downlink tunnels to use."),

    NUMBER("sessions.max", sessions.max, 1, 16000000, "1000000",
           "Most bearers."),
    NUMBER("sessions.idle_seconds", sessions.idle_seconds, 1, 86400, "300",
           "A bearer is forgotten after so long a silence."),
    NUMBER("sessions.evidence_seconds", sessions.evidence_seconds, 1, 3600,
           "10",
           "A downlink tunnel has to be proved again after so long a "
           "silence."),

    TEXT("api.listen", api.listen, endpoint_or_none, "127.0.0.1:8080",
         "Where the API listens; an IPv6 address goes in brackets."),
    TEXT("api.interface", api.interface, interface, NULL,
         "Answer only on this interface."),
    TEXT("api.unix", api.unix_path, unix_path, NULL,
         "Listen on a socket in the file system, too."),
    TEXT("api.token_file", api.token_file, path, NULL,
         "A file with the token that clients must send."),
    BOOLEAN("api.allow_without_token", api.allow_without_token, "false",
            "May the API listen where other hosts reach it, though no token "
            "is asked for?"),
    TEXTS("api.hosts", api.hosts, ONE_OR_MANY, name, NULL,
          "Names, beside its own and localhost, by which clients call this "
          "host."),
    TEXT("api.tls_cert", api.tls_cert, path, NULL,
         "The certificate in PEM format, for HTTPS."),
    TEXT("api.tls_key", api.tls_key, path, NULL,
         "Its private key, likewise."),

    BOOLEAN("trace.allow", trace.allow, "false",
            "May the packets of a UE be looked at?"),
    BOOLEAN("trace.payload", trace.payload, "false",
            "All of each packet, not 96 bytes of it?"),

    TEXT("usage.file", usage.file, path_or_none, NULL,
         "Where usage records are appended."),
    NUMBER("usage.interval_seconds", usage.interval_seconds, 1, 86400, "300",
           "How often a session that lives leaves a record."),

    TEXT("standby.listen", standby.listen, endpoint, NULL,
         "Where those connect that follow this one."),
    TEXTS("standby.follow", standby.follow, ONE_OR_MANY, endpoint, NULL,
          "Those that this one follows."),
    TEXTS("standby.names", standby.names, ONE_OR_MANY, name, NULL,
          "The names in the certificates of those TOFs."),

    TEXT("tls.cert", tls.cert, path, NULL,
         "The certificate of this TOF in PEM format."),
    TEXT("tls.key", tls.key, path, NULL, "Its private key, likewise."),
    TEXT("tls.ca", tls.ca, path, NULL,
         "The authority's certificate, likewise."),

    TEXTS("registry", registry, MANY, registry, NULL,
          "The OVSDB servers of a cluster that shares its services."),
    TEXT("run_dir", run_dir, run_dir, "/run/tof",
         "Sockets and other files that do not outlive a restart of the "
         "host."),
    TEXT("state_dir", state_dir, path, "/var/lib/tof",
         "The registry, the journal of sessions, usage records and their "
         "sums."),
};
const size_t conf_n_keys = sizeof conf_keys / sizeof *conf_keys;

void
conf_key_print_range(const struct conf_key *key, FILE *stream)
{
    if (key->max) {
        fprintf(stream, "%u to %u", key->min, key->max);
    }
    for (size_t i = 0; key->words && key->words[i]; i++) {
        fprintf(stream, "%s%s", i ? ", " : "", key->words[i]);
    }
}
