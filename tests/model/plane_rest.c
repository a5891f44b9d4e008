/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rest of the data plane in memory: modules that the agent calls, and of
 * which nothing is asked in test_model.c, but that the registry has one
 * service. */

#include <config.h>

#include <errno.h>

#include "base/addr.h"
#include "filter/filter.h"
#include "filter/l2.h"
#include "nat/nat.h"
#include "persist/persist.h"
#include "service/registry.h"
#include "service/service.h"
#include "usage/usage.h"
#include "util.h"

/* Filter. */

void
filter_unlearn(const struct endpoint_bearer *b OVS_UNUSED)
{
}

void
filter_undivert(const struct endpoint_bearer *b OVS_UNUSED)
{
}

uint64_t
filter_seqno(void)
{
    return 0;
}

bool
filter_committed(uint64_t seqno OVS_UNUSED)
{
    return true;
}

int
filter_divert_flush(void)
{
    return 0;
}

int
filter_divert_dump(filter_bearer_cb *cb OVS_UNUSED, void *aux OVS_UNUSED)
{
    return 0;
}

int
filter_guard_dump(filter_bearer_cb *cb OVS_UNUSED, void *aux OVS_UNUSED)
{
    return 0;
}

int
filter_service_dump(void (*cb)(const struct in6_addr *, void *aux) OVS_UNUSED,
                    void *aux OVS_UNUSED)
{
    return 0;
}

int
filter_service_set(const struct in6_addr *ip OVS_UNUSED)
{
    return 0;
}

int
filter_services_bypass(const struct in6_addr *service_ips OVS_UNUSED,
                       size_t n OVS_UNUSED)
{
    return 0;
}

int
filter_connections_end(const struct tcp_connection *connections OVS_UNUSED,
                       size_t n OVS_UNUSED)
{
    return 0;
}

int
filter_service_clear(const struct in6_addr *ip OVS_UNUSED)
{
    return 0;
}

int
filter_run(void)
{
    return 0;
}

bool
filter_has_service(const struct in6_addr *ip OVS_UNUSED)
{
    return true;
}

bool
filter_endpoint_is_live(void)
{
    return true;
}

void
filter_poll_counters(void)
{
}

void
nat_poll_counters(void)
{
}

bool
nat_has_room(void)
{
    return true;
}

bool
nat_routes_changed(void)
{
    return false;
}

int
nat_socket(int family OVS_UNUSED, int type OVS_UNUSED,
           int protocol OVS_UNUSED, int *fd OVS_UNUSED)
{
    return ENOTCONN;
}

void
nat_connections_listen(nat_connections_cb *cb OVS_UNUSED)
{
}

uint64_t
nat_connections_list(const struct in6_addr *service_ips OVS_UNUSED,
                     size_t n OVS_UNUSED)
{
    return 0;
}

bool
nat_connections_listed(uint64_t walk OVS_UNUSED)
{
    return true;
}

int
nat_services_end(const struct in6_addr *service_ips OVS_UNUSED,
                 size_t n OVS_UNUSED)
{
    return 0;
}

int
nat_service_resume(const struct in6_addr *service_ip OVS_UNUSED, bool *ended)
{
    *ended = false;
    return 0;
}

int
nat_routes_fd(void)
{
    return -1;
}

bool
nat_reaches_app(const struct in6_addr *application_ip OVS_UNUSED,
                const char **why OVS_UNUSED)
{
    return true;
}

enum nat_app
nat_find_app(const struct in6_addr *application_ip, struct in6_addr *next)
{
    *next = *application_ip;
    return NAT_APP_ANSWERS;
}

enum nat_app
nat_ask_app(const struct in6_addr *application_ip, struct in6_addr *next)
{
    return nat_find_app(application_ip, next);
}

bool
nat_reaches_ue(const struct in6_addr *ue OVS_UNUSED)
{
    return true;
}

/* Ethernet headers. */

bool
l2_get(enum filter_side side OVS_UNUSED, const struct in6_addr *src OVS_UNUSED,
       const struct in6_addr *dst OVS_UNUSED, struct l2_header *l2 OVS_UNUSED)
{
    return true;
}

void
l2_seen(enum filter_side side OVS_UNUSED,
        const struct in6_addr *src OVS_UNUSED,
        const struct in6_addr *dst OVS_UNUSED,
        const uint8_t *src_mac OVS_UNUSED, uint32_t tag OVS_UNUSED)
{
}

void
l2_dump(bool all OVS_UNUSED, l2_dump_cb *cb OVS_UNUSED, void *aux OVS_UNUSED)
{
}

void
l2_replicated(enum filter_side side OVS_UNUSED,
              const struct in6_addr *src OVS_UNUSED,
              const struct in6_addr *dst OVS_UNUSED,
              const struct l2_header *l2 OVS_UNUSED)
{
}

bool
l2_is_known(enum filter_side side OVS_UNUSED,
            const struct in6_addr *src OVS_UNUSED,
            const struct in6_addr *dst OVS_UNUSED)
{
    return true;
}

void
l2_init(l2_changed_cb *cb OVS_UNUSED)
{
}

void
l2_destroy(void)
{
}

/* NAT, registry, journal, usage. */

void
usage_init(const struct conf *conf OVS_UNUSED,
           const char *(*service_name)(const struct in6_addr *) OVS_UNUSED)
{
}

void
usage_destroy(void)
{
}

void
usage_adopt(void)
{
}

void
usage_run(bool up OVS_UNUSED, bool final OVS_UNUSED)
{
}

void
usage_wait(bool up OVS_UNUSED)
{
}

void
usage_reopen(void)
{
}

void
usage_bearer(const struct bearer *b OVS_UNUSED)
{
}

void
usage_bearer_gone(const struct bearer *b OVS_UNUSED,
                  const char *reason OVS_UNUSED)
{
}

void
usage_sent_down(const struct bearer *b OVS_UNUSED,
                const struct in6_addr *service_ip OVS_UNUSED,
                size_t bytes OVS_UNUSED)
{
}

int
nat_service_set(const struct nat_service *s OVS_UNUSED)
{
    return 0;
}

bool
nat_is_lost(const struct in6_addr *service_ip OVS_UNUSED,
            const struct in6_addr *application_ip OVS_UNUSED)
{
    return false;
}

int
nat_flows_forget_app(const struct in6_addr *service_ip OVS_UNUSED,
                     const struct in6_addr *application_ip OVS_UNUSED)
{
    return 0;
}

bool
nat_translates(const struct in6_addr *service_ip OVS_UNUSED)
{
    return false;
}

bool
nat_has_service(const struct nat_service *s OVS_UNUSED)
{
    return true;
}

int
nat_service_clear(const struct in6_addr *service_ip OVS_UNUSED)
{
    return 0;
}

bool
nat_service_ready(const struct in6_addr *service_ip OVS_UNUSED)
{
    return true;
}

int
nat_service_dump(void (*cb)(const struct in6_addr *service_ip,
                            const struct in6_addr *application_ip,
                            void *aux) OVS_UNUSED, void *aux OVS_UNUSED)
{
    return 0;
}

void
registry_init(const char *remotes OVS_UNUSED)
{
}

void
registry_destroy(void)
{
}

void
registry_run(void)
{
}

void
registry_wait(void)
{
}

bool
registry_is_connected(void)
{
    return true;
}

unsigned int
registry_seqno(void)
{
    return 1;
}

void
registry_follow(void (*gone)(const struct in6_addr *) OVS_UNUSED,
                void (*there)(const struct service_spec *))
{
    struct service_spec spec = { .name = "svc" };
    struct in6_addr app;

    addr_parse("198.51.100.10", &spec.service_ip);
    addr_parse("192.168.100.10", &app);
    service_spec_set_app(&spec, &app);
    there(&spec);
}

char *
registry_conflict(const struct service_spec *spec OVS_UNUSED,
                  const char *name OVS_UNUSED)
{
    return NULL;
}

void
registry_begin(const char *name OVS_UNUSED,
               const struct service_spec *spec OVS_UNUSED)
{
}

enum registry_result
registry_continue(char **detail)
{
    *detail = NULL;
    return REGISTRY_PENDING;
}

enum registry_result
registry_give_up(void)
{
    return REGISTRY_UNAVAILABLE;
}

int
persist_open(const char *dir OVS_UNUSED, char **what OVS_UNUSED)
{
    return 0;
}

void
persist_close(void)
{
}

bool
persist_is_replaying(void)
{
    return false;
}

void
persist_bearer(const struct bearer *b OVS_UNUSED,
               enum statelet_op op OVS_UNUSED)
{
}

void
persist_path(enum filter_side side OVS_UNUSED,
             const struct in6_addr *src OVS_UNUSED,
             const struct in6_addr *dst OVS_UNUSED,
             const struct l2_header *l2 OVS_UNUSED)
{
}

void
persist_run(void)
{
}

void
persist_wait(void)
{
}
