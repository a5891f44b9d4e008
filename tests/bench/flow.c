// SPDX-License-Identifier: GPL-3.0-or-later
/* Flows of frames, by live frames or by a packet socket.
 *
 * Place in the flow: a part of engine.c, which says what the commands are.
 * Live frames run through front.bpf.c. */

#include <config.h>

#include "engine_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define BATCH 64                /* Live frames between two flushes. */

void
flow_new(const struct args *args)
{
    struct flow *f = calloc(1, sizeof *f);
    const char *ns = arg(args, "ns"), *dev = arg(args, "dev");
    const char *ingress = arg(args, "ingress");
    struct flow_conf *c = &f->conf;

    c->copy = arg_number(args, "copy", 64);
    c->id_at = arg_number(args, "id_at", 0);
    c->addr_at = arg_number(args, "addr_at", 0);
    c->csum_at = arg_number(args, "csum_at", 0);
    c->l4_csum_at = arg_number(args, "l4_csum_at", 0);
    c->stamp_at = arg_number(args, "stamp_at", 0);
    c->random = arg_number(args, "random", 0);
    c->mixed = arg_number(args, "mixed", 0);
    c->id_step = arg_number(args, "id_step", 1);

    unsigned int index = device(ns, dev);
    if (!index || !(f->object = load("front.bpf.o", c, sizeof *c))) {
        free(f);
        return;
    }
    snprintf(f->ns, sizeof f->ns, "%s", ns);
    snprintf(f->dev, sizeof f->dev, "%s", dev);
    snprintf(f->ingress, sizeof f->ingress, "%s", ingress ? ingress : dev);
    f->sock = -1;
    f->sent = arg_number(args, "log", 0)
              ? calloc(SAMPLES, sizeof *f->sent) : NULL;
    f->state = map_memory(map_fd(f->object, "state"), sizeof *f->state);
    f->state->sessions = 1;

    uint32_t zero = 0;
    int redirect = program_fd(f->object, "redirect");
    if (bpf_map_update_elem(map_fd(f->object, "out"), &zero, &index, 0)
        || bpf_map_update_elem(map_fd(f->object, "jump"), &zero, &redirect,
                               0)) {
        fail("flow: %s", strerror(errno));
    } else if (add_object(args, f, NULL)) {
        reply("ok");
    }
}

void
flow_slot(const struct args *args)
{
    struct flow *f = find_flow(args);
    struct slot slot = { .len = 0 };
    unsigned char frame[FRAME_MAX];

    if (!f) {
        return;
    }
    const char *hex = args->n > 3 ? args->words[3] : "";
    while (slot.len < sizeof frame && sscanf(hex, "%2hhx",
                                             &frame[slot.len]) == 1) {
        slot.len++;
        hex += 2;
    }
    memcpy(slot.data, frame, slot.len < COPY_MAX ? slot.len : COPY_MAX);
    if (slot.len < f->conf.copy) {
        fail("a frame of %u bytes, of which %u are copied", slot.len,
             f->conf.copy);
        return;
    }
    if (slot.len >= f->len) {   /* The longest one is what frames start as. */
        memcpy(f->frame, frame, slot.len);
        f->len = slot.len;
    }
    int n = atoi(args->words[2]);
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (n >= 0 && i != (uint32_t) n) {
            continue;
        }
        f->slots[i] = slot;
        if (bpf_map_update_elem(map_fd(f->object, "slots"), &i, &slot, 0)) {
            fail("slot: %s", strerror(errno));
            return;
        }
    }
    reply("ok");
}

void
flow_set(const struct args *args)
{
    struct flow *f = find_flow(args);

    if (!f) {
        return;
    }
    struct flow_state *s = f->state;
    s->sessions = arg_number(args, "sessions", s->sessions);
    s->first = arg_number(args, "first", s->first);
    s->next = arg_number(args, "next", s->next);
    s->seq = arg_number(args, "seq", s->seq);
    s->id_base = arg_number(args, "id_base", s->id_base);
    s->addr_base = arg_number(args, "addr_base", s->addr_base);
    s->random = arg_number(args, "random", s->random);
    reply("ok");
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Runs 'n' frames, 'rate' a second or (0) as fast as they go, in one system
 * call: making ready for it and cleaning up takes some 20 ms, which '*ns',
 * from first to last frame, leaves out.  Returns 0 or a positive errno
 * value. */
static int
run_frames(struct flow *f, unsigned int ingress, uint64_t n, double rate,
           uint64_t *ns)
{
    struct flow_state *s = f->state;
    struct xdp_md ctx = { .data_end = f->len, .ingress_ifindex = ingress };
    LIBBPF_OPTS(bpf_test_run_opts, opts,
                .data_in = f->frame, .data_size_in = f->len,
                .ctx_in = &ctx, .ctx_size_in = sizeof ctx,
                .repeat = n + 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .batch_size = rate > 0 ? BURST : BATCH);

    s->frames = s->began = s->ended = s->due = s->left = 0;
    s->gap = rate > 0 ? BURST * 1e9 / rate : 0;
    if (bpf_prog_test_run_opts(program_fd(f->object, "front"), &opts)) {
        return errno;
    }
    *ns = s->ended - s->began;
    return 0;
}

/* Up to the next multiple of MARK: what run_frames() can time. */
static uint64_t
whole_marks(uint64_t packets)
{
    return packets < MARK ? MARK : packets / MARK * MARK;
}

void
flow_send(const struct args *args)
{
    struct flow *f = find_flow(args);
    unsigned int ingress = f ? device(f->ns, f->ingress) : 0;
    uint64_t packets = whole_marks(arg_number(args, "packets", 1)), ns;
    const char *rate = arg(args, "rate");

    if (!ingress) {
        return;
    }
    int error = run_frames(f, ingress, packets, rate ? atof(rate) : 0, &ns);
    if (error) {
        fail("send: %s", strerror(error));
    } else {
        reply("ok %lu %lu", packets + 1, ns);
    }
}

/* A and B in turn, so that both meet the same disturbances.  With 'wall' all
 * that the system call takes is counted. */
void
flow_compare(const struct args *args)
{
    struct flow *f = find_flow(args);
    unsigned int ingress = f ? device(f->ns, f->ingress) : 0;
    uint64_t packets = whole_marks(arg_number(args, "packets", 1)), ns;
    uint64_t rounds = arg_number(args, "rounds", 1);
    uint32_t zero = 0;

    if (!ingress) {
        return;
    }
    int programs[2] = { program_fd(f->object, "redirect"),
                        subject_fd(arg(args, "with")) };
    int jump = map_fd(f->object, "jump"), error = 0;
    char *text = malloc(rounds * 48 + 1), *end = text;

    *text = '\0';
    for (uint64_t i = 0; i < 2 * rounds && !error; i++) {
        if (bpf_map_update_elem(jump, &zero, &programs[i % 2], 0)) {
            error = errno;
            break;
        }
        uint64_t start = now_ns();
        error = run_frames(f, ingress, packets, 0, &ns);
        if (arg_number(args, "wall", 0)) {
            ns = now_ns() - start;
        }
        end += sprintf(end, " %lu", ns);
    }
    bpf_map_update_elem(jump, &zero, &programs[0], 0);
    if (error) {
        fail("compare: %s", strerror(error));
    } else {
        reply("ok%s", text);
    }
    free(text);
}

void
flow_free(struct flow *f)
{
    if (f->sock >= 0) {
        close(f->sock);
    }
    free(f->sent);
    unmap_memory(f->state, sizeof *f->state);
    bpf_object__close(f->object);
    free(f);
}

/* --- By a packet socket ---------------------------------------------------*/

static void
sleep_until(uint64_t when)
{
    struct timespec t = { .tv_sec = when / 1000000000,
                          .tv_nsec = when % 1000000000 };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int
open_socket(unsigned int index)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_ifindex = index };
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    if (fd >= 0 && bind(fd, (struct sockaddr *) &to, sizeof to)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* RFC 1624, as in front.bpf.c. */
static void
mend_checksum(void *p, uint32_t old, uint32_t new)
{
    uint16_t check;

    memcpy(&check, p, sizeof check);
    uint32_t sum = (uint16_t) ~check;
    sum += (uint16_t) ~(old >> 16) + (uint16_t) ~(old & 0xffff);
    sum += (new >> 16) + (new & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    check = ~sum;
    memcpy(p, &check, sizeof check);
}

/* The next frame of the flow, as front() of front.bpf.c makes it, in
 * 'frame'. */
static void
next_frame(struct flow *f, unsigned char *frame)
{
    const struct flow_conf *c = &f->conf;
    struct flow_state *s = f->state;
    uint32_t i = s->first + s->next, id = htonl(s->id_base + i * c->id_step);

    s->next = s->next + 1 < s->sessions ? s->next + 1 : 0;
    if (c->id_at) {
        memcpy(frame + c->id_at, &id, sizeof id);
    }
    if (c->addr_at) {
        uint32_t old, new = htonl(s->addr_base + i);
        memcpy(&old, frame + c->addr_at, sizeof old);
        memcpy(frame + c->addr_at, &new, sizeof new);
        mend_checksum(frame + c->csum_at, old, new);
        if (c->l4_csum_at) {
            mend_checksum(frame + c->l4_csum_at, old, new);
        }
    }
    if (c->stamp_at) {
        struct stamp stamp = { STAMP_MAGIC, s->seq++, now_ns() };
        memcpy(frame + c->stamp_at, &stamp, sizeof stamp);
        if (f->sent) {
            f->sent[stamp.seq & (SAMPLES - 1)] = stamp.sent;
        }
    }
}

#define TICK 1000000            /* ns from burst to burst. */
#define TRICKLE_BURST 64        /* Frames in a system call. */

/* Sends 'n' frames by 'sock'.  Returns 0 or a positive errno value. */
static int
send_burst(struct flow *f, int sock, unsigned int n)
{
    static unsigned char frames[TRICKLE_BURST][FRAME_MAX];
    static struct iovec iov[TRICKLE_BURST];
    static struct mmsghdr messages[TRICKLE_BURST];

    for (unsigned int i = 0; i < n; i++) {
        memcpy(frames[i], f->frame, f->len);
        next_frame(f, frames[i]);
        iov[i] = (struct iovec) { frames[i], f->len };
        messages[i].msg_hdr = (struct msghdr) { .msg_iov = &iov[i],
                                                .msg_iovlen = 1 };
    }
    for (unsigned int done = 0; done < n; ) {
        int sent = sendmmsg(sock, messages + done, n - done, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EAGAIN) {
            return errno;
        }
        done += sent > 0 ? sent : 0;
    }
    return 0;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Every TICK what is due by then, one system call after the other; by 'by' all
 * but the first 'at' frames. */
static int
trickle(struct flow *f, const struct flow *by, uint64_t at, uint64_t packets,
        double rate)
{
    uint64_t start = now_ns(), sent = 0;
    int error = 0;

    for (uint64_t tick = start; sent < packets && !error; tick += TICK) {
        sleep_until(tick);
        uint64_t due = rate * (now_ns() - start + TICK) / 1e9;
        due = least(due, packets);
        while (sent < due && !error) {
            uint64_t n = least(due - sent, TRICKLE_BURST);
            n = sent < at ? least(n, at - sent) : n;
            error = send_burst(f, sent < at ? f->sock : by->sock, n);
            sent += n;
        }
    }
    return error;
}

/* The flow's packet socket.  False after fail(). */
static bool
ready_to_trickle(struct flow *f)
{
    unsigned int index = f->sock < 0 ? device(f->ns, f->dev) : 0;

    if (index) {
        f->sock = open_socket(index);
        if (f->sock < 0) {
            fail("trickle: %s", strerror(errno));
        }
    }
    return f->sock >= 0;
}

void
flow_trickle(const struct args *args)
{
    struct flow *f = find_flow(args), *by = f;
    uint64_t packets = arg_number(args, "packets", 1);
    const char *rate = arg(args, "rate");

    if (f && arg(args, "by")) {
        by = named_flow(arg(args, "by"));
    }
    if (!f || !by || !ready_to_trickle(f) || !ready_to_trickle(by)) {
        return;
    }
    uint64_t start = now_ns();
    int error = trickle(f, by, arg_number(args, "at", packets), packets,
                        rate ? atof(rate) : 1e6);
    if (error) {
        fail("trickle: %s", strerror(error));
    } else {
        reply("ok %lu %lu", packets, now_ns() - start);
    }
}

void
flow_sent(const struct args *args)
{
    struct flow *f = find_flow(args);

    if (!f) {
        return;
    }
    if (!f->sent) {
        fail("the flow keeps no log");
        return;
    }
    reply_numbers(args, f->sent);
}
