/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A client's JSON text to a service.
 *
 * Place in the flow: api/routes.c hands a complete body to json_to_service(),
 * and what comes out is good for service_create(); or a sentence comes out,
 * which becomes the detail of a 400.  Nothing else looks at a body's bytes.
 *
 * libjansson says whether they are JSON (RFC 8259): UTF-8, without a NUL in a
 * string, without anything behind it, and not nested without end.  What may
 * be in a service is said here.  The first problem sticks. */

#include "api/json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"

struct reader {
    struct service_spec *spec;
    char *problem;              /* JSON_PROBLEM_MAX bytes. */
    bool ok;
};

static void __attribute__((format(printf, 2, 3)))
refuse(struct reader *r, const char *format, ...)
{
    if (r->ok) {
        va_list args;

        va_start(args, format);
        vsnprintf(r->problem, JSON_PROBLEM_MAX, format, args);
        va_end(args);
        r->ok = false;
    }
}

/* libjansson repeats some of the text. */
static void
refuse_syntax(struct reader *r, const json_error_t *error)
{
    refuse(r, "%s: at byte %d: %s",
           (json_error_code(error) == json_error_duplicate_key
            ? "the body has a member twice" : "the body is not JSON"),
           error->position, error->text);
    for (char *p = r->problem; *p; p++) {
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    }
}

static const char *
type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_NULL: return "null";
    case JSON_TRUE: case JSON_FALSE: return "a boolean";
    default: return "a number";
    }
}

static bool
check_type(struct reader *r, const char *member, const char *wanted,
           const json_t *value, bool is_wanted)
{
    if (!is_wanted) {
        refuse(r, "%s: must be %s, not %s", member, wanted, type_name(value));
    }
    return is_wanted;
}

/* Returns the string that 'value' is, or NULL. */
static const char *
read_string(struct reader *r, const char *member, const json_t *value)
{
    check_type(r, member, "a string", value, json_is_string(value));
    return json_string_value(value);
}

static void
read_name(struct reader *r, const char *member, const json_t *value,
          char name[SERVICE_NAME_MAX + 1])
{
    const char *s = read_string(r, member, value);
    const char *why;

    if (s && !service_name_is_valid(s, &why)) {
        refuse(r, "%s: %s", member, why);
    } else if (s) {
        memcpy(name, s, strlen(s) + 1);
    }
}

static void
read_address(struct reader *r, const char *member, const json_t *value,
             struct in6_addr *addr)
{
    const char *s = read_string(r, member, value);
    const char *why;

    if (s && !addr_parse(s, addr)) {
        refuse(r, "%s: is not an IPv4 or IPv6 address", member);
    } else if (s && !service_ip_is_valid(addr, &why)) {
        refuse(r, "%s: %s", member, why);
    }
}

static void
read_chain(struct reader *r, const char *member, const json_t *value)
{
    struct service_spec *spec = r->spec;

    if (check_type(r, member, "an array of strings", value,
                   json_is_array(value))) {
        size_t n = json_array_size(value);

        if (n > SERVICE_CHAIN_MAX) {
            refuse(r, "%s: has more than %d functions", member,
                   SERVICE_CHAIN_MAX);
        }
        while (r->ok && spec->n_chain < n) {
            read_name(r, member, json_array_get(value, spec->n_chain),
                      spec->chain[spec->n_chain]);
            spec->n_chain++;
        }
    }
}

static void
read_app_member(struct reader *r, const char *key, const json_t *value,
                struct service_app *app)
{
    if (!strcmp(key, "ip")) {
        read_address(r, "applications: ip", value, &app->ip);
    } else if (!strcmp(key, "weight")) {
        const json_int_t n = json_integer_value(value);

        if (check_type(r, "applications: weight", "a whole number", value,
                       json_is_integer(value))
            && (n < 0 || n > SERVICE_WEIGHT_MAX)) {
            refuse(r, "applications: weight must be from 0 to %d",
                   SERVICE_WEIGHT_MAX);
        }
        app->weight = r->ok ? n : 0;
    } else {
        refuse(r, "applications: has a member that no application has");
    }
}

static void
read_app(struct reader *r, const json_t *value)
{
    struct service_app *app = &r->spec->apps[r->spec->n_apps++];
    const char *key;
    json_t *item;

    app->weight = 1;
    if (!check_type(r, "applications", "an array of objects", value,
                    json_is_object(value))) {
        return;
    }
    json_object_foreach ((json_t *) value, key, item) {
        read_app_member(r, key, item, app);
    }
    if (!json_object_get(value, "ip")) {
        refuse(r, "applications: ip: is missing");
    }
}

static void
read_apps(struct reader *r, const char *member, const json_t *value)
{
    const json_t *item;
    size_t i;

    if (!check_type(r, member, "an array of objects", value,
                    json_is_array(value))) {
        return;
    }
    if (json_array_size(value) > SERVICE_APPS_MAX) {
        refuse(r, "%s: has more than %d of them", member, SERVICE_APPS_MAX);
        return;
    }
    r->spec->n_apps = 0;
    json_array_foreach (value, i, item) {
        read_app(r, item);
    }
}

static void
read_only_app(struct reader *r, const char *member, const json_t *value)
{
    struct in6_addr ip = in6addr_any;

    read_address(r, member, value, &ip);
    service_spec_set_app(r->spec, &ip);
}

static void
read_on_failure(struct reader *r, const char *member, const json_t *value)
{
    const char *s = read_string(r, member, value);

    if (s && !service_on_failure_from_name(s, &r->spec->on_failure)) {
        refuse(r, "%s: must be bypass or keep", member);
    }
}

/* Returns the whole number that 'value' is, if it is one from 1 to 'max'. */
static unsigned int
read_number(struct reader *r, const char *member, const json_t *value,
            unsigned int max)
{
    const json_int_t n = json_integer_value(value);

    if (check_type(r, member, "a whole number", value, json_is_integer(value))
        && (n < 1 || n > max)) {
        refuse(r, "%s: must be from 1 to %u", member, max);
    }
    return r->ok ? n : 0;
}

static void
read_path(struct reader *r, const char *member, const json_t *value)
{
    struct service_check *c = &r->spec->health;
    const char *s = read_string(r, member, value);

    if (s && strlen(s) > SERVICE_CHECK_PATH_MAX) {
        refuse(r, "%s: is longer than %d bytes", member,
               SERVICE_CHECK_PATH_MAX);
    } else if (s) {
        memcpy(c->path, s, strlen(s) + 1);
    }
}

/* Seconds. */
static void
read_interval(struct reader *r, const char *member, const json_t *value)
{
    const double seconds = json_number_value(value);

    if (check_type(r, member, "a number", value, json_is_number(value))
        && !(seconds >= 0.1 && seconds <= 60)) {
        refuse(r, "%s: must be from 0.1 to 60", member);
    } else if (r->ok) {
        r->spec->health.interval_ms = seconds * 1000 + 0.5;
    }
}

/* One member says what kind of check it is. */
static void
set_kind(struct reader *r, int kind)
{
    if (r->spec->health.kind) {
        refuse(r, "health: has more than one of tcp, http and icmp");
    }
    r->spec->health.kind = kind;
}

static void
read_health_member(struct reader *r, const char *key, const json_t *value)
{
    struct service_check *c = &r->spec->health;

    if (!strcmp(key, "tcp")) {
        set_kind(r, SERVICE_CHECK_TCP);
        c->port = read_number(r, "health: tcp", value, UINT16_MAX);
    } else if (!strcmp(key, "http")) {
        set_kind(r, SERVICE_CHECK_HTTP);
        read_path(r, "health: http", value);
    } else if (!strcmp(key, "icmp")) {
        set_kind(r, SERVICE_CHECK_ICMP);
        check_type(r, "health: icmp", "true", value, json_is_true(value));
    } else if (!strcmp(key, "port")) {
        c->port = read_number(r, "health: port", value, UINT16_MAX);
    } else if (!strcmp(key, "expect")) {
        c->expect = read_number(r, "health: expect", value, 599);
    } else if (!strcmp(key, "interval")) {
        read_interval(r, "health: interval", value);
    } else if (!strcmp(key, "fall")) {
        c->fall = read_number(r, "health: fall", value, 10);
    } else if (!strcmp(key, "rise")) {
        c->rise = read_number(r, "health: rise", value, 10);
    } else {
        refuse(r, "health: has a member that no check has");
    }
}

static void
read_health(struct reader *r, const char *member, const json_t *value)
{
    const bool is_http = json_object_get(value, "http") != NULL;
    const char *key;
    json_t *item;

    if (!check_type(r, member, "an object", value, json_is_object(value))) {
        return;
    }
    json_object_foreach ((json_t *) value, key, item) {
        read_health_member(r, key, item);
    }
    if (!r->spec->health.kind) {
        refuse(r, "health: has none of tcp, http and icmp");
    } else if (!is_http && (json_object_get(value, "port")
                            || json_object_get(value, "expect"))) {
        refuse(r, "health: port and expect are for http alone");
    }
}

static void
read_member(struct reader *r, const char *key, const json_t *value)
{
    const char *why;

    if (!strcmp(key, "name")) {
        read_name(r, key, value, r->spec->name);
    } else if (!strcmp(key, "serviceIP")) {
        read_address(r, key, value, &r->spec->service_ip);
    } else if (!strcmp(key, "applicationIP")) {
        read_only_app(r, key, value);
    } else if (!strcmp(key, "applications")) {
        read_apps(r, key, value);
    } else if (!strcmp(key, "chain")) {
        read_chain(r, key, value);
    } else if (!strcmp(key, "on_failure")) {
        read_on_failure(r, key, value);
    } else if (!strcmp(key, "health")) {
        read_health(r, key, value);
    } else {
        /* Repeats only a key that is short and plain. */
        refuse(r, "%s: is not a member of a service",
               service_name_is_valid(key, &why) ? key : "a member");
    }
}

static void
read_service(struct reader *r, json_t *body)
{
    const bool several = json_object_get(body, "applications");
    const char *const needed[] = {
        "name", "serviceIP", several ? "applications" : "applicationIP",
    };
    const char *key, *why;
    json_t *value;

    if (!check_type(r, "the body", "an object", body, json_is_object(body))) {
        return;
    }
    json_object_foreach (body, key, value) {
        read_member(r, key, value);
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!json_object_get(body, needed[i])) {
            refuse(r, "%s: is missing", needed[i]);
        }
    }
    if (several && json_object_get(body, "applicationIP")) {
        refuse(r, "applicationIP: is there beside applications");
    }
    if (r->ok && !service_spec_is_valid(r->spec, &why)) {
        refuse(r, "%s", why);
    }
    if (r->ok && r->spec->n_apps == 1) {
        /* The weight of one alone says nothing. */
        service_spec_set_app(r->spec, &r->spec->apps[0].ip);
    }
}

static bool
is_blank(const char *text, size_t len)
{
    while (len && memchr(" \t\r\n", text[len - 1], 4)) {
        len--;
    }
    return !len;
}

/* Returns the value that the text is, or NULL. */
static json_t *
read_body(struct reader *r, const char *text, size_t len)
{
    json_error_t error;
    json_t *body = json_loadb(text, len, JSON_REJECT_DUPLICATES
                              | JSON_DECODE_ANY, &error);

    if (!body && is_blank(text, len)) {
        refuse(r, "the body is empty");
    } else if (!body) {
        refuse_syntax(r, &error);
    }
    return body;
}

bool
json_to_service(const char *text, size_t len, struct service_spec *spec,
                char problem[JSON_PROBLEM_MAX])
{
    struct reader r = { .spec = spec, .problem = problem, .ok = true };
    json_t *body = read_body(&r, text, len);

    memset(spec, 0, sizeof *spec);
    service_check_init(&spec->health);
    if (body) {
        read_service(&r, body);
        json_decref(body);
    }
    return r.ok;
}

char *
json_to_level(const char *text, size_t len, char problem[JSON_PROBLEM_MAX])
{
    struct reader r = { .problem = problem, .ok = true };
    json_t *body = read_body(&r, text, len);
    const json_t *level = json_object_get(body, "level");
    char *value = NULL;

    if (body && check_type(&r, "the body", "an object", body,
                           json_is_object(body))) {
        if (!level || json_object_size(body) != 1) {
            refuse(&r, "the body must have the member level alone");
        } else {
            const char *s = read_string(&r, "level", level);

            value = s ? strdup(s) : NULL;
        }
    }
    json_decref(body);
    return value;
}
