/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The packets of one UE, as packet sockets see them: see trace.h.
 *
 *      eNodeB --> [S1-U adapter] - - - - - - > [S1-U adapter] --> SGW
 *                      \ - [tof-enb] - > [ue0] --> App
 *
 * What comes in waits in 'entries' until the same packet is seen going out,
 * which says where it went; one that is not seen any more has been left where
 * it was last seen: in the filter it is held, or it is for tofd, or it is lost;
 * in Open vSwitch it is lost, or a function has not let it pass.  A packet is
 * known again by what a tunnel's end does not change in it.  What goes out is
 * looked at only after all sockets have been read once more: before that the
 * socket that has it coming in might not have been read.
 *
 * The sockets are there only while there is a trace, and a program in each
 * (filter/tap.c) keeps others' packets in the kernel. */

#include <config.h>

#include "ovs/trace.h"

#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "filter/tap.h"
#include "gtp/endpoint.h"
#include "gtp/gtpu.h"
#include "hash.h"
#include "kernel/netns.h"
#include "kernel/packet_socket.h"
#include "nat/nat.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

#define BUDGET 256              /* Frames a round and socket. */
#define HEADERS 256             /* Bytes of each. */
#define WHOLE 2048
#define COMPARED 64             /* Bytes of a packet behind its IP header. */
#define ENTRIES_MAX 1024
#define ENTRY_MS 1000           /* Until it is said to be gone. */

#define VLAN_LEN 4

struct tap {
    int fd;                     /* -1: none. */
    bool bare;                  /* ue0: packets without a tunnel. */
    bool inside;                /* tof-enb: what passes between the filter and
                                 * Open vSwitch. */
};

/* A frame as it has been seen. */
struct sighting {
    uint64_t time;              /* ns since 1970. */
    bool bare;                  /* At ue0. */
    const char *left;           /* Who has it if it is not seen any more; */
    bool passing;               /* and that is all that it says. */
    enum endpoint_direction direction;
    uint32_t hash;              /* Of what does not change. */
    size_t offset, captured, length;
};

struct entry {
    struct ovs_list node;       /* In 'entries' or 'exits', oldest first. */
    struct sighting s;
    long long int seen;
    uint8_t frame[];
};

static struct tap taps[4] = {
    { .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 },
};
static size_t n_taps;
static struct in6_addr ue;
static uint32_t captured;
static const struct endpoint_events *events;
static struct ovs_list entries = OVS_LIST_INITIALIZER(&entries);
static struct ovs_list exits = OVS_LIST_INITIALIZER(&exits);
static size_t n_entries, n_exits;
static uint64_t n_lost;

/* Sockets. */

struct opening {
    const char *link;
    struct tap *tap;
};

/* For netns_call(). */
static int
open_tap(void *opening_)
{
    const struct opening *o = opening_;
    struct sock_filter code[TAP_PROGRAM_MAX];
    const struct sock_fprog program = {
        .len = tap_program(code, &ue, o->tap->bare, captured), .filter = code,
    };
    const struct packet_receive receive = { PACKET_AUXDATA, &program };

    return packet_socket_open(o->link, &receive, &o->tap->fd);
}

static int
add_tap(int netns, const char *link, bool bare)
{
    struct opening o = { link, &taps[n_taps++] };

    o.tap->bare = bare;
    return netns_call(netns, open_tap, &o);
}

int
ovs_trace_start(const struct conf *conf, const struct in6_addr *ue_,
                const struct endpoint_events *events_)
{
    int netns, error;

    ue = *ue_;
    events = events_;
    captured = conf->trace.payload ? WHOLE : HEADERS;
    n_lost = 0;
    error = netns_open(conf->apps.namespace, &netns);
    if (!error) {
        error = add_tap(netns, NAT_UE, true);
        close(netns);
    }
    if (!error) {
        error = add_tap(-1, conf_adapter(conf, true), false);
    }
    if (!error && !conf->s1u.interface) {
        error = add_tap(-1, conf->s1u.sgw, false);
    }
    if (!error) {
        taps[n_taps].inside = true;
        error = add_tap(-1, FILTER_ENB_LINK, false);
    }
    if (error) {
        ovs_trace_stop();
    }
    return error;
}

/* Packets. */

static void
tell(const struct sighting *s, const uint8_t *frame, bool bare,
     const char *where, const char *reason)
{
    const struct traced_packet p = {
        .time = s->time, .direction = s->direction, .frame = frame,
        .captured = s->captured, .length = s->length, .offset = s->offset,
        .tunnelled = !s->bare, .bare = bare, .where = where, .reason = reason,
    };

    events->traced(&p);
}

/* Nobody has seen it go out. */
static void
tell_left(const struct entry *e)
{
    tell(&e->s, e->frame, e->s.bare, e->s.left, "not_seen_again");
}

static struct entry *
first(const struct ovs_list *list)
{
    return CONTAINER_OF(ovs_list_front(list), struct entry, node);
}

static void
remove_entry(struct entry *e)
{
    ovs_list_remove(&e->node);
    n_entries--;
    free(e);
}

static void
push(struct ovs_list *list, const struct sighting *s, const uint8_t *frame)
{
    struct entry *e = xmalloc(sizeof *e + s->captured);

    e->s = *s;
    e->seen = time_msec();
    memcpy(e->frame, frame, s->captured);
    ovs_list_push_back(list, &e->node);
}

static void
add_entry(const struct sighting *s, const uint8_t *frame)
{
    if (n_entries == ENTRIES_MAX) {
        tell_left(first(&entries));
        remove_entry(first(&entries));
    }
    push(&entries, s, frame);
    n_entries++;
}

static struct entry *
find_entry(const struct sighting *s)
{
    struct entry *e;

    LIST_FOR_EACH (e, node, &entries) {
        if (e->s.hash == s->hash && e->s.direction == s->direction) {
            return e;
        }
    }
    return NULL;
}

/* A packet goes out: 'e' is how it has come in, if that has been seen.  An
 * answer is shown as it is in its tunnel now, all else as it came. */
static void
tell_gone(const struct sighting *s, const uint8_t *frame,
          const struct entry *e)
{
    const char *where = (s->bare ? "app"
                         : s->direction == ENDPOINT_UP ? "sgw" : "enb");

    if (s->bare) {
        tell(e ? &e->s : s, e ? e->frame : frame, true, where,
             "decapsulated");
    } else if (e && e->s.bare) {
        tell(s, frame, true, where, "encapsulated");
    } else if (e) {
        tell(&e->s, e->frame, false, where, "switched");
    } else {
        tell(s, frame, false, where, "sent_by_tofd");
    }
}

/* Where the UE's packet is in the 'len' bytes of a frame that are there, and
 * what it is; 0 if that is not clear. */
static size_t
find_packet(const struct tap *tap, const uint8_t *frame, size_t len,
            struct gtpu_inner *packet)
{
    const bool tagged = (len > ETH_HEADER_LEN
                         && get16(frame + 12) == ETH_TYPE_VLAN_8021Q);
    const size_t at = ETH_HEADER_LEN + (tagged ? VLAN_LEN : 0);
    struct gtpu_packet outer;

    if (len < at) {
        return 0;
    } else if (tap->bare) {
        return gtpu_parse_inner_head(frame + at, len - at, packet) ? 0 : at;
    } else if (gtpu_parse_packet_head(frame + at, len - at, &outer)
               || outer.msg.type != GTPU_GPDU) {
        return 0;
    }
    *packet = outer.inner;
    return outer.msg.payload - frame;
}

/* Notes what is said by 'packet', of which 'len' bytes are there at 'ip'. */
static void
look(struct sighting *s, const struct gtpu_inner *packet, const uint8_t *ip,
     size_t len)
{
    const bool v4 = packet->version == 4;
    const size_t header = v4 ? IP_HEADER_LEN : IPV6_HEADER_LEN;
    const struct in6_addr src = addr_ue_key(&packet->src);

    s->hash = (v4 ? hash_bytes(ip + 2, 4, 0)    /* Length, identification. */
               : hash_bytes(ip + 4, 2, 0));     /* Length. */
    s->hash = hash_bytes(&packet->src, sizeof packet->src, s->hash);
    s->hash = hash_bytes(&packet->dst, sizeof packet->dst, s->hash);
    s->hash = hash_bytes(ip + header, MIN(len - header, COMPARED), s->hash);
    s->direction = (IN6_ARE_ADDR_EQUAL(&src, &ue)
                    ? ENDPOINT_UP : ENDPOINT_DOWN);
}

static void
take(const struct tap *tap, const uint8_t *frame, size_t len,
     size_t length, bool outgoing)
{
    struct sighting s = { .bare = tap->bare, .captured = len,
                          .length = length,
                          .time = clock_ns(CLOCK_REALTIME) };
    struct gtpu_inner packet;

    s.offset = find_packet(tap, frame, len, &packet);
    if (!s.offset) {
        n_lost++;
        return;
    }
    look(&s, &packet, frame + s.offset, len - s.offset);
    s.passing = tap->inside;
    s.left = (tap->inside && outgoing ? "ovs"
              : tap->bare ? "tofd" : "filter");
    /* The namespace of Apps is on the other side of ue0. */
    if (s.passing || (tap->bare ? !outgoing : outgoing)) {
        push(&exits, &s, frame);
        n_exits++;
    } else {
        add_entry(&s, frame);
    }
}

/* The loop. */

/* The length of the frame that 'msg' has, before the program has cut it; 'n'
 * if the kernel does not say. */
static size_t
length_of(struct msghdr *msg, size_t n)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    struct tpacket_auxdata aux;

    if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) {
        return n;
    }
    memcpy(&aux, CMSG_DATA(c), sizeof aux);
    return aux.tp_len;
}

/* Returns whether all has been read. */
static bool
run_tap(const struct tap *tap)
{
    static uint8_t frame[WHOLE];
    union {
        char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;

    for (int i = 0; i < BUDGET; i++) {
        struct sockaddr_ll sll;
        struct iovec iov = { frame, sizeof frame };
        struct msghdr msg = {
            .msg_name = &sll, .msg_namelen = sizeof sll, .msg_iov = &iov,
            .msg_iovlen = 1, .msg_control = &control,
            .msg_controllen = sizeof control,
        };
        const ssize_t n = recvmsg(tap->fd, &msg, 0);

        if (n < 0) {
            return true;
        }
        take(tap, frame, n, length_of(&msg, n),
             sll.sll_pkttype == PACKET_OUTGOING);
    }
    return false;
}

static void
count_drops(const struct tap *tap)
{
    struct tpacket_stats stats;
    socklen_t len = sizeof stats;

    if (!getsockopt(tap->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len)) {
        n_lost += stats.tp_drops;
    }
}

static void
match_exit(struct entry *out)
{
    struct entry *in = find_entry(&out->s);

    if (!out->s.passing) {
        tell_gone(&out->s, out->frame, in);
        if (in) {
            remove_entry(in);
        }
    } else if (in) {
        in->s.left = out->s.left;
    }
    ovs_list_remove(&out->node);
    n_exits--;
    free(out);
}

static void
expire_entries(long long int before)
{
    struct entry *e;

    LIST_FOR_EACH_SAFE (e, node, &entries) {
        if (e->seen > before) {
            break;
        }
        tell_left(e);
        remove_entry(e);
    }
}

void
ovs_trace_run(void)
{
    size_t due = n_exits;
    bool all = true;

    for (size_t i = 0; i < n_taps; i++) {
        all = run_tap(&taps[i]) && all;
        count_drops(&taps[i]);
    }
    while (all && due--) {
        match_exit(first(&exits));
    }
    if (n_taps) {
        expire_entries(time_msec() - ENTRY_MS);
        events->traces_lost(n_lost);
    }
}

void
ovs_trace_wait(void)
{
    for (size_t i = 0; i < n_taps; i++) {
        poll_fd_wait(taps[i].fd, POLLIN);
    }
    if (n_exits) {
        poll_immediate_wake();
    }
    if (n_entries) {
        poll_timer_wait_until(first(&entries)->seen + ENTRY_MS);
    }
}

void
ovs_trace_stop(void)
{
    struct entry *e;

    while (n_taps) {
        struct tap *tap = &taps[--n_taps];

        if (tap->fd >= 0) {
            close(tap->fd);
        }
        *tap = (struct tap) { .fd = -1 };
    }
    LIST_FOR_EACH_SAFE (e, node, &entries) {
        remove_entry(e);
    }
    LIST_FOR_EACH_POP (e, node, &exits) {
        free(e);
    }
    n_exits = 0;
}
