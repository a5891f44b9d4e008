/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A client's JSON text to a service.
 *
 * Place in the flow: api/routes.c hands a complete body to json_to_service(),
 * and what comes out is good for service_create(); or a sentence comes out,
 * which becomes the detail of a 400.  Nothing else looks at a body's bytes.
 *
 * A service is one object of strings and of one array of strings, so that is
 * all this reads: any other value is refused at its first byte, which bounds
 * the depth.  (libopenvswitch's parser takes members given twice, and jansson
 * cannot be linked beside it: both define json_string() and others.)  The
 * first problem sticks; after it, reads do nothing. */

#include "api/json.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/service_spec.h"

/* Longer than any good name or address: what is cut off at this length is
 * refused for what is left. */
#define STRING_MAX 128

struct reader {
    const char *start, *p, *end;
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

static void
refuse_syntax(struct reader *r, const char *what)
{
    refuse(r, "the body is not JSON: %s at byte %td", what, r->p - r->start);
}

/* Returns the next byte after white space; -1 at the end or after an error. */
static int
peek(struct reader *r)
{
    while (r->ok && r->p < r->end) {
        switch (*r->p) {
        case ' ': case '\t': case '\r': case '\n':
            r->p++;
            break;
        default:
            return (unsigned char) *r->p;
        }
    }
    return -1;
}

/* Skips 'c' if it is next. */
static bool
take(struct reader *r, char c)
{
    bool found = peek(r) == c;

    r->p += found;
    return found;
}

static void
expect(struct reader *r, char c)
{
    if (!take(r, c)) {
        char what[] = { '\'', c, '\'', ' ', 'e', 'x', 'p', 'e', 'c', 't',
                        'e', 'd', '\0' };

        refuse_syntax(r, what);
    }
}

/* What kind of value is next? */
static const char *
value_type(struct reader *r)
{
    int c = peek(r);

    switch (c) {
    case '"': return "a string";
    case '{': return "an object";
    case '[': return "an array";
    case 't': case 'f': return "a boolean";
    case 'n': return "null";
    default:
        return c == '-' || (c >= '0' && c <= '9') ? "a number" : NULL;
    }
}

/* Refuses 'member' for the type of its value, unless that begins with 'c'. */
static bool
check_type(struct reader *r, const char *member, const char *wanted, char c)
{
    const char *type = value_type(r);

    if (peek(r) == c) {
        return true;
    } else if (!type) {
        refuse_syntax(r, "value expected");
    } else {
        refuse(r, "%s: must be %s, not %s", member, wanted, type);
    }
    return false;
}

/* Reads the 4 hex digits of an escape.  No name and no address has a
 * character beyond ASCII, so what one is does not matter. */
static char
read_unicode(struct reader *r)
{
    unsigned int code = 0;

    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = r->p < r->end && *r->p ? strchr(digits, *r->p)
                                                   : NULL;

        if (!digit) {
            refuse_syntax(r, "hex digit expected");
            return '\0';
        }
        code = code * 16 + (digit - digits) - (digit - digits > 15 ? 6 : 0);
        r->p++;
    }
    if (!code) {
        refuse_syntax(r, "NUL character");
    }
    return code < 0x80 ? (char) code : '?';
}

static char
read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = r->p < r->end ? *r->p : '\0';
    const char *escape = c ? strchr(from, c) : NULL;

    if (c == 'u') {
        r->p++;
        return read_unicode(r);
    } else if (!escape) {
        refuse_syntax(r, "bad escape");
        return '\0';
    }
    r->p++;
    return to[escape - from];
}

/* Reads a string to 's', which gets at most its first STRING_MAX - 1 bytes;
 * an empty one on error. */
static void
read_string(struct reader *r, char s[STRING_MAX])
{
    size_t n = 0;

    expect(r, '"');
    while (r->ok && r->p < r->end && *r->p != '"') {
        char c = *r->p;

        if ((unsigned char) c < 0x20) {
            refuse_syntax(r, "control character");
            break;
        }
        r->p++;
        if (c == '\\') {
            c = read_escape(r);
        }
        if (n < STRING_MAX - 1) {
            s[n++] = c;
        }
    }
    if (r->ok && r->p == r->end) {
        refuse_syntax(r, "end of a string expected");
    }
    r->p += r->ok;
    s[r->ok ? n : 0] = '\0';
}

/* Values. */

static void
read_name_to(struct reader *r, const char *member,
             char name[SERVICE_NAME_MAX + 1])
{
    char s[STRING_MAX];
    const char *why;

    if (!check_type(r, member, "a string", '"')) {
        return;
    }
    read_string(r, s);
    if (r->ok && !service_name_is_valid(s, &why)) {
        refuse(r, "%s: %s", member, why);
    } else if (r->ok) {
        memcpy(name, s, strlen(s) + 1);
    }
}

static void
read_name(struct reader *r, const char *member, struct service_spec *spec)
{
    read_name_to(r, member, spec->name);
}

static void
read_address(struct reader *r, const char *member, struct in6_addr *addr)
{
    char s[STRING_MAX];
    const char *why;

    if (!check_type(r, member, "a string", '"')) {
        return;
    }
    read_string(r, s);
    if (!addr_parse(s, addr)) {
        refuse(r, "%s: is not an IPv4 or IPv6 address", member);
    } else if (!service_ip_is_valid(addr, &why)) {
        refuse(r, "%s: %s", member, why);
    }
}

static void
read_service_ip(struct reader *r, const char *member,
                struct service_spec *spec)
{
    read_address(r, member, &spec->service_ip);
}

static void
read_application_ip(struct reader *r, const char *member,
                    struct service_spec *spec)
{
    read_address(r, member, &spec->application_ip);
}

static void
read_chain(struct reader *r, const char *member, struct service_spec *spec)
{
    if (!check_type(r, member, "an array of strings", '[')) {
        return;
    }
    r->p++;
    if (take(r, ']')) {
        return;
    }
    do {
        if (spec->n_chain == SERVICE_CHAIN_MAX) {
            refuse(r, "%s: has more than %d functions", member,
                   SERVICE_CHAIN_MAX);
            return;
        }
        read_name_to(r, member, spec->chain[spec->n_chain++]);
    } while (take(r, ','));
    expect(r, ']');
}

static const struct member {
    const char *name;
    void (*read)(struct reader *, const char *member, struct service_spec *);
    bool optional;
} members[] = {
    { "name", read_name, false },
    { "serviceIP", read_service_ip, false },
    { "applicationIP", read_application_ip, false },
    { "chain", read_chain, true },
};
#define N_MEMBERS (sizeof members / sizeof *members)

/* 'seen' has a bit for each of 'members'. */
static void
read_member(struct reader *r, struct service_spec *spec, unsigned int *seen)
{
    char key[STRING_MAX];
    const char *why;
    size_t i = 0;

    read_string(r, key);
    while (i < N_MEMBERS && strcmp(key, members[i].name)) {
        i++;
    }
    if (i == N_MEMBERS) {
        /* Repeats only a key that is short and plain. */
        refuse(r, "%s: is not a member of a service",
               service_name_is_valid(key, &why) ? key : "a member");
    } else if (*seen & (1u << i)) {
        refuse(r, "%s: is given twice", key);
    } else {
        *seen |= 1u << i;
        expect(r, ':');
        members[i].read(r, key, spec);
    }
}

static void
read_service(struct reader *r, struct service_spec *spec)
{
    unsigned int seen = 0;
    const char *why;

    if (peek(r) < 0) {
        refuse(r, "the body is empty");
    }
    if (!check_type(r, "the body", "an object", '{')) {
        return;
    }
    r->p++;
    if (!take(r, '}')) {
        do {
            read_member(r, spec, &seen);
        } while (take(r, ','));
        expect(r, '}');
    }
    if (peek(r) >= 0) {
        refuse_syntax(r, "something after the object");
    }
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (!(seen & (1u << i)) && !members[i].optional) {
            refuse(r, "%s: is missing", members[i].name);
        }
    }
    if (r->ok && !service_spec_is_valid(spec, &why)) {
        refuse(r, "%s", why);
    }
}

bool
json_to_service(const char *text, size_t len, struct service_spec *spec,
                char problem[JSON_PROBLEM_MAX])
{
    struct reader r = {
        .start = text, .p = text, .end = text + len,
        .problem = problem, .ok = true,
    };

    memset(spec, 0, sizeof *spec);
    read_service(&r, spec);
    return r.ok;
}
