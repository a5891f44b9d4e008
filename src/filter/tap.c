/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which frames a packet socket that looks at one UE gets: see tap.h.
 *
 * A classic BPF program, which has an accumulator A and an index X.  X is
 * where the header begins that is looked at next:
 *
 *     Ethernet, tag -> outer IP -> UDP -> GTP-U -> extension headers
 *     -> the UE's packet
 *
 * Jumps lead forward only.  What does not match jumps to the end, and so do
 * parts that are done before others to the UE's packet: where these are is
 * filled in afterwards. */

#include <config.h>

#include "filter/tap.h"

#include <linux/if_ether.h>

#include "gtp/gtpu.h"

#define ETH_LEN 14
#define TAG_LEN 4
#define UDP_LEN 8
#define GTPU_LEN 8
#define OPTIONAL_LEN 4          /* Sequence number, N-PDU, next type. */
#define FRAGMENT 0x3fff         /* MF, or an offset. */

struct program {
    struct sock_filter *code;
    unsigned short n;
    unsigned short refusals[TAP_PROGRAM_MAX];   /* Jumps to the end. */
    unsigned short n_refusals;
};

static unsigned short
add(struct program *p, uint16_t code, uint32_t k)
{
    p->code[p->n] = (struct sock_filter) { .code = code, .k = k };
    return p->n++;
}

/* A = the number of that size (BPF_B, BPF_H, BPF_W) at X + 'offset'. */
static void
load(struct program *p, uint16_t size, int offset)
{
    add(p, BPF_LD | BPF_IND | size, offset);
}

/* X += 'n'. */
static void
advance(struct program *p, uint32_t n)
{
    add(p, BPF_MISC | BPF_TXA, 0);
    add(p, BPF_ALU | BPF_ADD | BPF_K, n);
    add(p, BPF_MISC | BPF_TAX, 0);
}

/* X += A * 4. */
static void
advance_by_words(struct program *p)
{
    add(p, BPF_ALU | BPF_LSH | BPF_K, 2);
    add(p, BPF_ALU | BPF_ADD | BPF_X, 0);
    add(p, BPF_MISC | BPF_TAX, 0);
}

/* Returns a jump that is taken if A is not 'k'; and one that always is. */
static unsigned short
unless(struct program *p, uint32_t k)
{
    return add(p, BPF_JMP | BPF_JEQ | BPF_K, k);
}

static unsigned short
always(struct program *p)
{
    return add(p, BPF_JMP | BPF_JA, 0);
}

/* The jump 'from' leads to what comes next. */
static void
here(struct program *p, unsigned short from)
{
    struct sock_filter *f = &p->code[from];
    const unsigned short n = p->n - from - 1;

    if (BPF_OP(f->code) == BPF_JA) {
        f->k = n;
    } else if (BPF_OP(f->code) == BPF_JSET) {
        f->jt = n;
    } else {
        f->jf = n;
    }
}

static void
require(struct program *p, uint32_t k)
{
    p->refusals[p->n_refusals++] = unless(p, k);
}

static void
require_no_bit(struct program *p, uint32_t bits)
{
    p->refusals[p->n_refusals++] = add(p, BPF_JMP | BPF_JSET | BPF_K, bits);
}

/* X = behind the Ethernet header, A = what is there. */
static void
skip_ethernet(struct program *p)
{
    unsigned short untagged, done;

    add(p, BPF_LDX | BPF_IMM, ETH_LEN);
    add(p, BPF_LD | BPF_ABS | BPF_H, ETH_LEN - 2);
    untagged = unless(p, ETH_P_8021Q);
    add(p, BPF_LDX | BPF_IMM, ETH_LEN + TAG_LEN);
    add(p, BPF_LD | BPF_ABS | BPF_H, ETH_LEN + TAG_LEN - 2);
    done = always(p);
    here(p, untagged);
    here(p, done);
}

/* X = UDP header. */
static void
skip_outer_ip(struct program *p)
{
    unsigned short other = unless(p, ETH_P_IP), done;

    load(p, BPF_B, 9);
    require(p, IPPROTO_UDP);
    load(p, BPF_H, 6);
    require_no_bit(p, FRAGMENT);
    load(p, BPF_B, 0);
    add(p, BPF_ALU | BPF_AND | BPF_K, 0x0f);
    advance_by_words(p);
    done = always(p);
    here(p, other);
    require(p, ETH_P_IPV6);
    load(p, BPF_B, 6);
    require(p, IPPROTO_UDP);
    advance(p, 40);
    here(p, done);
}

/* X = behind the optional fields and all extension headers; A = flags. */
static void
skip_extensions(struct program *p)
{
    unsigned short ends[GTPU_MAX_EXTENSIONS + 1], n = 0, none;

    none = add(p, BPF_JMP | BPF_JSET | BPF_K, 0x04);    /* E. */
    advance(p, UDP_LEN + GTPU_LEN + OPTIONAL_LEN);
    ends[n++] = always(p);
    here(p, none);
    advance(p, UDP_LEN + GTPU_LEN + OPTIONAL_LEN);
    for (int i = 0; i < GTPU_MAX_EXTENSIONS; i++) {
        unsigned short another;

        load(p, BPF_B, -1);             /* Type of the next one. */
        another = unless(p, 0);
        ends[n++] = always(p);
        here(p, another);
        load(p, BPF_B, 0);              /* Its length in words. */
        advance_by_words(p);
    }
    load(p, BPF_B, -1);
    require(p, 0);
    for (unsigned short i = 0; i < n; i++) {
        here(p, ends[i]);
    }
}

/* X = the UE's packet. */
static void
skip_gtpu(struct program *p)
{
    unsigned short optional, done;

    load(p, BPF_H, 2);
    require(p, GTPU_PORT);
    load(p, BPF_B, UDP_LEN + 1);
    require(p, GTPU_GPDU);
    load(p, BPF_B, UDP_LEN);
    add(p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
    require(p, 0x30);                   /* Version 1, PT. */
    load(p, BPF_B, UDP_LEN);
    optional = add(p, BPF_JMP | BPF_JSET | BPF_K, 0x07);
    advance(p, UDP_LEN + GTPU_LEN);
    done = always(p);
    here(p, optional);
    skip_extensions(p);
    here(p, done);
}

/* The UE's address, or prefix, of 'n_words' words of 'ue' after 'from', is at
 * 'src' or at 'dst'. */
static void
require_addresses(struct program *p, const struct in6_addr *ue, int src,
                  int dst, int from, int n_words)
{
    unsigned short others[2], done;

    for (int i = 0; i < n_words; i++) {
        load(p, BPF_W, src + 4 * i);
        others[i] = unless(p, ntohl(ue->s6_addr32[from + i]));
    }
    done = always(p);
    for (int i = 0; i < n_words; i++) {
        here(p, others[i]);
    }
    for (int i = 0; i < n_words; i++) {
        load(p, BPF_W, dst + 4 * i);
        require(p, ntohl(ue->s6_addr32[from + i]));
    }
    here(p, done);
}

static void
require_ue(struct program *p, const struct in6_addr *ue)
{
    const bool v4 = IN6_IS_ADDR_V4MAPPED(ue);

    load(p, BPF_B, 0);
    add(p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
    require(p, v4 ? 0x40 : 0x60);
    if (v4) {
        require_addresses(p, ue, 12, 16, 3, 1);
    } else {
        require_addresses(p, ue, 8, 24, 0, 2);
    }
}

unsigned short
tap_program(struct sock_filter code[TAP_PROGRAM_MAX],
            const struct in6_addr *ue, bool bare, uint32_t captured)
{
    struct program p = { .code = code };

    skip_ethernet(&p);
    if (!bare) {
        skip_outer_ip(&p);
        skip_gtpu(&p);
    }
    require_ue(&p, ue);
    add(&p, BPF_RET | BPF_K, captured);
    for (unsigned short i = 0; i < p.n_refusals; i++) {
        here(&p, p.refusals[i]);
    }
    add(&p, BPF_RET | BPF_K, 0);
    return p.n;
}
