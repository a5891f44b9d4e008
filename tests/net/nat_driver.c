/* SPDX-License-Identifier: GPL-3.0-or-later */

/* nat/nat.c without the rest of the TOF, for test_nat.py.
 *
 *     nat_driver NAMESPACE INTERFACE UE_PORT MTU MAY_CONNECT ADDRESS/LEN...
 *
 * runs nat_init(), then takes a command a line from standard input and answers
 * each with "ok" or "error: ...", a dump's lines before it:
 *
 *     set SERVICE APPLICATION | clear SERVICE | dump
 *     share SERVICE APPLICATION,... OWNERS LOST
 *                              whose the buckets are: "01" makes all that are
 *                              odd the second one's; and the bits of "lost"
 *     list SERVICE | end SERVICE | resume SERVICE
 *     forget-app SERVICE APPLICATION
 *     reassign ID
 *     usage | forget ID SERVICE up|down      (100 of them, up to ID)
 *     turns                    that the last walk over connections has taken
 *
 * A route is an ADDRESS/LEN with "route:" before it; "connections:N" is no
 * address, but the bound of a UE's connections. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tunnel.h"
#include "conf/conf.h"
#include "gtp/ue_frame.h"
#include "nat/nat.h"

#define N_FORGET 100            /* At a time. */

static bool
parse_addr(const char *s, struct in6_addr *addr)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    if (strchr(s, ':')) {
        return inet_pton(AF_INET6, s, addr) == 1;
    }
    memcpy(addr->s6_addr, prefix, sizeof prefix);
    return inet_pton(AF_INET, s, addr->s6_addr + 12) == 1;
}

static const char *
addr_text(const struct in6_addr *addr, char text[INET6_ADDRSTRLEN])
{
    bool ipv4 = IN6_IS_ADDR_V4MAPPED(addr);

    return inet_ntop(ipv4 ? AF_INET : AF_INET6,
                     addr->s6_addr + (ipv4 ? 12 : 0), text, INET6_ADDRSTRLEN);
}

static void
dump_cb(const struct in6_addr *service, const struct in6_addr *application,
        void *aux)
{
    char s[INET6_ADDRSTRLEN], a[INET6_ADDRSTRLEN];

    fprintf(aux, "%s %s\n", addr_text(service, s), addr_text(application, a));
}

/* All turns of a walk over connections. */

static unsigned int turns;

static int
walk(int error)
{
    for (turns = 0; !error; turns++) {
        error = nat_flows_run();
        if (error != EINPROGRESS) {
            return error;
        }
        error = 0;
    }
    return error;
}

static void
found(const struct tcp_connection *connections, size_t n)
{
    char ue[INET6_ADDRSTRLEN], service[INET6_ADDRSTRLEN];

    for (size_t i = 0; i < n; i++) {
        const struct tcp_connection *c = &connections[i];

        printf("%s %u %s %u\n", addr_text(&c->ue, ue), ntohs(c->ue_port),
               addr_text(&c->service, service), ntohs(c->service_port));
    }
}

static int
list(const struct in6_addr *service)
{
    nat_connections_listen(found);
    const uint64_t ticket = nat_connections_list(service, 1);
    int error = walk(0);

    return error ? error : nat_connections_listed(ticket) ? 0 : EAGAIN;
}

static uint32_t reassigned;

static uint32_t
owner(uint32_t bearer_id, uint16_t space)
{
    return bearer_id == reassigned ? orphan_id(space) : bearer_id;
}

static void
usage_cb(const struct nat_usage *u, void *aux)
{
    char s[INET6_ADDRSTRLEN];

    fprintf(aux, "%#x %s %s %llu %llu\n", u->bearer,
            addr_text(&u->service_ip, s), u->down ? "down" : "up",
            (unsigned long long) u->packets, (unsigned long long) u->bytes);
}

static int
usage(void)
{
    int error = nat_usage_begin();

    while (!error) {
        error = nat_usage_next(usage_cb, stdout);
        if (error != EINPROGRESS) {
            return error;
        }
        error = 0;
    }
    return error;
}

static int
forget(const char *id, const char *service, const char *direction)
{
    static struct nat_usage usages[N_FORGET];
    uint32_t last = strtoul(id, NULL, 0);

    for (size_t i = 0; i < N_FORGET; i++) {
        usages[i].bearer = last - i;
        usages[i].down = direction && !strcmp(direction, "down");
        if (!service || !direction
            || !parse_addr(service, &usages[i].service_ip)) {
            return EINVAL;
        }
    }
    return nat_usage_forget(usages, N_FORGET);
}

static int
set(const struct in6_addr *service, const struct in6_addr *application)
{
    const struct nat_service s = { .service_ip = *service,
                                   .apps = { *application }, .n_apps = 1 };

    return walk(nat_service_set(&s));
}

static int
share(const struct in6_addr *service, char *applications)
{
    const char *pattern = strtok(NULL, " \n");
    const char *lost = strtok(NULL, " \n");
    struct nat_service s = { .service_ip = *service };
    uint8_t owners[NAT_BUCKETS];

    if (!pattern || !lost) {
        return EINVAL;
    }
    for (char *app = strtok(applications, ","); app; app = strtok(NULL, ",")) {
        if (s.n_apps >= SERVICE_APPS_MAX
            || !parse_addr(app, &s.apps[s.n_apps++])) {
            return EINVAL;
        }
    }
    for (size_t i = 0; i < NAT_BUCKETS; i++) {
        owners[i] = pattern[i % strlen(pattern)] - '0';
    }
    s.owners = owners;
    s.lost = strtoul(lost, NULL, 0);
    return walk(nat_service_set(&s));
}

static int
command(char *line)
{
    const char *verb = strtok(line, " \n");
    const char *arg = strtok(NULL, " \n");
    char *arg2 = strtok(NULL, " \n");
    struct in6_addr a, b;

    if (verb && !strcmp(verb, "dump")) {
        return nat_service_dump(dump_cb, stdout);
    } else if (verb && !strcmp(verb, "usage")) {
        return usage();
    } else if (verb && !strcmp(verb, "turns")) {
        printf("%u\n", turns);
        return 0;
    } else if (!verb || !arg) {
        return EINVAL;
    } else if (!strcmp(verb, "reassign")) {
        reassigned = strtoul(arg, NULL, 0);
        nat_flows_reassign(owner);
        return walk(0);
    } else if (!strcmp(verb, "forget")) {
        return forget(arg, arg2, strtok(NULL, " \n"));
    } else if (!parse_addr(arg, &a)) {
        return EINVAL;
    } else if (!strcmp(verb, "clear")) {
        return walk(nat_service_clear(&a));
    } else if (!strcmp(verb, "end")) {
        return walk(nat_services_end(&a, 1));
    } else if (!strcmp(verb, "resume")) {
        bool ended;

        return nat_service_resume(&a, &ended);
    } else if (!strcmp(verb, "list")) {
        return list(&a);
    } else if (!strcmp(verb, "set") && arg2 && parse_addr(arg2, &b)) {
        return set(&a, &b);
    } else if (!strcmp(verb, "share") && arg2) {
        return share(&a, arg2);
    } else if (!strcmp(verb, "forget-app") && arg2 && parse_addr(arg2, &b)) {
        return walk(nat_flows_forget_app(&a, &b));
    }
    return EINVAL;
}

static void
add_prefix(char *arg, struct conf *conf)
{
    struct ip_prefix_list *list = &conf->apps.address;
    struct ip_prefix *prefix;
    char *slash;

    if (sscanf(arg, "connections:%u", &conf->apps.connections_per_ue) == 1) {
        return;
    }
    if (!strncmp(arg, "route:", 6)) {
        list = &conf->apps.routes;
        arg += 6;
    }
    list->prefixes = realloc(list->prefixes,
                             (list->n + 1) * sizeof *list->prefixes);
    prefix = &list->prefixes[list->n++];
    slash = strchr(arg, '/');
    if (slash) {
        *slash = '\0';
    }
    if (!slash || !parse_addr(arg, &prefix->addr)) {
        fprintf(stderr, "%s: not ADDRESS/LEN\n", arg);
        exit(2);
    }
    prefix->len = atoi(slash + 1);
}

int
main(int argc, char *argv[])
{
    struct conf conf = { .apps.connections_per_ue = 2000 };
    char *what = NULL;
    char line[256];
    int error;

    if (argc < 6) {
        return 2;
    }
    conf.apps.namespace = argv[1];
    conf.apps.interface = argv[2];
    conf.apps.may_connect = atoi(argv[5]);
    for (int i = 6; i < argc; i++) {
        add_prefix(argv[i], &conf);
    }
    error = nat_init(&conf, argv[3], atoi(argv[4]), atoi(argv[4]), &what);
    if (error) {
        printf("error: %s\n", what ? what : strerror(error));
        free(what);
    } else {
        puts("ok");
    }
    fflush(stdout);
    while (!error && fgets(line, sizeof line, stdin)) {
        int e = command(line);

        if (e) {
            printf("error: %s\n", strerror(e));
        } else {
            puts("ok");
        }
        fflush(stdout);
    }
    nat_close();
    free(conf.apps.address.prefixes);
    free(conf.apps.routes.prefixes);
    return error ? 1 : 0;
}
