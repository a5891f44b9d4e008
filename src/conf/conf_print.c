/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration as shell assignments.
 *
 * Place in the flow: tofd prints them for scripts/tof-net and scripts/tof-ovs,
 * which source them, so that there is one parser of the file.  Every value is
 * in single quotes, with a quote in it written as '\'', so that nothing in
 * the file is ever run. */

#include "base/addr.h"
#include "conf/conf.h"

#include <ctype.h>

#include "conf/conf_value.h"

static void
print_key(FILE *stream, const char *key)
{
    for (; *key; key++) {
        putc(isalnum((unsigned char) *key) ? *key : '_', stream);
    }
}

static void
print_value(FILE *stream, const char *value)
{
    for (; value && *value; value++) {
        if (*value == '\'') {
            fputs("'\\''", stream);
        } else {
            putc(*value, stream);
        }
    }
}

static void
print_string(FILE *stream, const char *key, const char *value)
{
    print_key(stream, key);
    fputs("='", stream);
    print_value(stream, value);
    fputs("'\n", stream);
}

static void
print_uint(FILE *stream, const char *key, unsigned int value)
{
    print_key(stream, key);
    fprintf(stream, "='%u'\n", value);
}

static void
print_prefixes(FILE *stream, const char *key,
               const struct ip_prefix_list *list)
{
    print_key(stream, key);
    fputs("='", stream);
    for (size_t i = 0; i < list->n; i++) {
        char s[IP_PREFIX_STRLEN];

        ip_prefix_format(&list->prefixes[i], s);
        fprintf(stream, "%s%s", i ? " " : "", s);
    }
    fputs("'\n", stream);
}

static void
print_list(FILE *stream, const char *key, const struct text_list *list)
{
    print_key(stream, key);
    fputs("='", stream);
    for (size_t i = 0; i < list->n; i++) {
        fputs(i ? " " : "", stream);
        print_value(stream, list->items[i]);
    }
    fputs("'\n", stream);
}

static void
print_functions(FILE *stream, const struct conf *conf)
{
    fputs("functions='", stream);
    for (size_t i = 0; i < conf->n_functions; i++) {
        fprintf(stream, "%s%s", i ? " " : "", conf->functions[i].name);
    }
    fputs("'\n", stream);
    for (size_t i = 0; i < conf->n_functions; i++) {
        const struct conf_function *f = &conf->functions[i];

        fputs("functions_", stream);
        print_key(stream, f->name);
        print_string(stream, ".in", f->in);
        fputs("functions_", stream);
        print_key(stream, f->name);
        print_string(stream, ".out", f->out);
    }
}

static void
print_pinger(FILE *stream, const struct conf *conf)
{
    static const char *const pairings[] = {
        [PAIRING_PROVED] = "proved", [PAIRING_OBSERVED] = "observed",
    };

    fputs("pinger_targets='", stream);
    for (size_t i = 0; i < conf->pinger.n_targets; i++) {
        char s[INET6_ADDRSTRLEN];

        addr_format(&conf->pinger.targets[i], s);
        fprintf(stream, "%s%s", i ? " " : "", s);
    }
    fputs("'\n", stream);
    print_uint(stream, "pinger.interval_ms", conf->pinger.interval_ms);
    print_uint(stream, "pinger.attempts", conf->pinger.attempts);
    print_uint(stream, "pinger.rate_per_second",
               conf->pinger.rate_per_second);
    print_string(stream, "pinger.pairing", pairings[conf->pinger.pairing]);
}

static void
print_api(FILE *stream, const struct conf *conf)
{
    print_string(stream, "api.listen",
                 conf->api.listen ? conf->api.listen : "none");
    print_string(stream, "api.interface", conf->api.interface);
    print_string(stream, "api.unix", conf->api.unix_path);
    print_string(stream, "api.token_file", conf->api.token_file);
    print_string(stream, "api.tls_cert", conf->api.tls_cert);
    print_string(stream, "api.tls_key", conf->api.tls_key);
}

static void
print_standby(FILE *stream, const struct conf *conf)
{
    print_string(stream, "standby.listen", conf->standby.listen);
    print_list(stream, "standby.follow", &conf->standby.follow);
    print_string(stream, "tls.cert", conf->tls.cert);
    print_string(stream, "tls.key", conf->tls.key);
    print_string(stream, "tls.ca", conf->tls.ca);
}

void
conf_print(const struct conf *conf, FILE *stream)
{
    static const char *const datapaths[] = {
        [DATAPATH_AUTO] = "auto", [DATAPATH_OVS] = "ovs",
        [DATAPATH_XDP] = "xdp",
    };
    static const char *const learns[] = {
        [LEARN_ALL] = "all", [LEARN_SERVICES] = "services",
    };

    print_string(stream, "s1u.enb", conf->s1u.enb);
    print_string(stream, "s1u.sgw", conf->s1u.sgw);
    print_string(stream, "s1u.interface", conf->s1u.interface);
    print_prefixes(stream, "s1u.enodebs", &conf->s1u.enodebs);
    print_prefixes(stream, "s1u.sgws", &conf->s1u.sgws);
    print_string(stream, "apps.interface", conf->apps.interface);
    print_prefixes(stream, "apps.address", &conf->apps.address);
    print_prefixes(stream, "apps.routes", &conf->apps.routes);
    print_string(stream, "apps.namespace", conf->apps.namespace);
    print_string(stream, "apps.may_connect",
                 conf->apps.may_connect ? "true" : "false");
    print_functions(stream, conf);
    print_string(stream, "datapath", datapaths[conf->datapath]);
    print_string(stream, "learn", learns[conf->learn]);
    print_pinger(stream, conf);
    print_uint(stream, "sessions.max", conf->sessions.max);
    print_uint(stream, "sessions.idle_seconds", conf->sessions.idle_seconds);
    print_uint(stream, "sessions.evidence_seconds",
               conf->sessions.evidence_seconds);
    print_api(stream, conf);
    print_string(stream, "usage.file", conf->usage.file);
    print_uint(stream, "usage.interval_seconds",
               conf->usage.interval_seconds);
    print_standby(stream, conf);
    print_list(stream, "registry", &conf->registry);
    print_string(stream, "run_dir", conf->run_dir);
    print_string(stream, "state_dir", conf->state_dir);
}
