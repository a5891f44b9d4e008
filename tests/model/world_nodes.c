/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Nodes of the random network, and who holds which of their identifiers; its
 * dice, and the log of what has happened.  See world_private.h. */

#include "world_private.h"

#include <stdarg.h>
#include <string.h>

#define LOG_LINES 80

struct tunnel_end downs[N_ENBS][N_TEIDS], ups[N_SGWS][N_TEIDS];
int64_t address_free[N_SGWS][N_NETWORKS][N_ADDRESSES];

static uint64_t rng;
static char log_lines[LOG_LINES][200];
static unsigned int n_log;

void
nodes_init(uint64_t seed)
{
    rng = seed * 0x9e3779b97f4a7c15ull + 1;
    memset(downs, 0, sizeof downs);
    memset(ups, 0, sizeof ups);
    memset(address_free, 0, sizeof address_free);
    n_log = 0;
}

void
say(const char *format, ...)
{
    char *line = log_lines[n_log++ % LOG_LINES];
    int n = snprintf(line, sizeof log_lines[0], "%10.6f ", world_now / 1e6);
    va_list args;

    va_start(args, format);
    vsnprintf(line + n, sizeof log_lines[0] - n, format, args);
    va_end(args);
}

void
world_print_log(FILE *f)
{
    unsigned int i = n_log > LOG_LINES ? n_log - LOG_LINES : 0;

    for (; i < n_log; i++) {
        fprintf(f, "# %s\n", log_lines[i % LOG_LINES]);
    }
}

/* xorshift64*. */
uint32_t
dice(uint32_t n)
{
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    return (uint64_t) ((rng * 0x2545f4914f6cdd1dull) >> 32) * n >> 32;
}

bool
chance(int percent)
{
    return dice(100) < (uint32_t) percent;
}

/* Addresses. */

uint32_t
enb_ip(int enb)
{
    return 0x0a010065 + enb;            /* 10.1.0.101... */
}

uint32_t
sgw_ip(int sgw)
{
    return 0x0a0100c9 + sgw;            /* 10.1.0.201... */
}

uint32_t
ue_ip(const struct ue *ue)
{
    return 0x0a2d0001 + ue->address;    /* 10.45.0.1... */
}

int
enb_of(uint32_t ip)
{
    return ip - enb_ip(0) < N_ENBS ? (int) (ip - enb_ip(0)) : -1;
}

int
sgw_of(uint32_t ip)
{
    return ip - sgw_ip(0) < N_SGWS ? (int) (ip - sgw_ip(0)) : -1;
}

/* Identifiers. */

int
teid_take(struct tunnel_end *ends, struct ue *ue)
{
    for (int i = 1; i < N_TEIDS; i++) {
        struct tunnel_end *e = &ends[i];

        if (!e->owner && e->free_at <= world_now) {
            e->owner = ue;
            e->changed = world_now;
            e->n_shows = 0;
            e->shown = 0;
            memset(e->claimed, 0, sizeof e->claimed);
            return i;
        }
    }
    return 0;
}

void
teid_free(struct tunnel_end *e, int64_t after)
{
    if (e->owner) {
        e->last_address = ue_ip(e->owner);
        e->last_sgw = e->owner->sgw;
        e->left = world_now;
        e->marked = after != world_config.silence_us;
        e->owner = NULL;
    }
    e->free_at = world_now + after;
}

int
n_free(const struct tunnel_end *ends)
{
    int n = 0;

    for (int i = 1; i < N_TEIDS; i++) {
        n += !ends[i].owner && ends[i].free_at <= world_now;
    }
    return n;
}

bool
were_of(const struct tunnel_end *ends, int n, uint32_t address)
{
    for (int i = 1; i < N_TEIDS && n; i++) {
        if (!ends[i].owner && ends[i].free_at <= world_now) {
            n--;
            if (ends[i].last_address == address || ends[i].asked == address) {
                return true;
            }
        }
    }
    return false;
}

void
down_free(struct fteid *f, int64_t after)
{
    if (f->node >= 0) {
        teid_free(&downs[f->node][f->teid], after);
        f->node = -1;
    }
}

void
down_take(struct ue *ue, struct fteid *f, int enb)
{
    f->node = enb;
    f->teid = teid_take(downs[enb], ue);
    if (!f->teid) {
        f->node = -1;
    } else if (downs[enb][f->teid].last_address) {
        world_stats.reused_down++;
    }
}
