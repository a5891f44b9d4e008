/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOF_BENCH_ENGINE_H
#define TOF_BENCH_ENGINE_H 1

/* What engine.c and its BPF programs (front.bpf.c, end.bpf.c) share. */

#include <linux/types.h>

#define FRAME_MAX 2048          /* A frame as handed to the kernel. */
#define COPY_MAX 160            /* Of which so much is rewritten each time. */
#define SLOTS 12                /* Frames are picked from so many slots. */
#define SAMPLES (1 << 20)       /* Latencies that an end keeps. */
#define MARK 1024               /* The clock is read once in so many frames. */
#define BURST 16                /* Frames of a paced flow without a pause. */
#define STAMP_MAGIC 0x746f6662u /* "tofb", host byte order */

/* 16 bytes in a frame's payload, in host byte order (both ends of the path
 * are this machine). */
struct stamp {
    __u32 magic;
    __u32 seq;
    __u64 sent;                 /* CLOCK_MONOTONIC, ns. */
};

/* One flow of the generator: constant while its program is loaded, so that
 * the verifier removes what it does not use.  Places are offsets in the
 * frame; 0 is "not there". */
struct flow_conf {
    __u32 copy;                 /* Bytes rewritten, at most COPY_MAX. */
    __u32 id_at;                /* Identifier, 4 bytes, network byte order. */
    __u32 addr_at;              /* UE's IPv4 address... */
    __u32 csum_at;              /* ...and the IP checksum that covers it. */
    __u32 l4_csum_at;           /* ...and the transport checksum. */
    __u32 stamp_at;             /* struct stamp */
    __u32 random;               /* Sessions at random, or one by one. */
    __u32 mixed;                /* Slots hold frames of different length. */
    __u32 id_step;
};

/* Its state: the generator alone writes it while it runs. */
struct flow_state {
    __u64 random;               /* Of a linear congruential generator. */
    __u32 next;                 /* Session, counted from 'first'. */
    __u32 first;
    __u32 sessions;
    __u32 seq;
    __u32 id_base;
    __u32 addr_base;
    __u32 slot;
    __u32 left;                 /* Of the burst under way. */
    __u64 gap;                  /* ns from burst to burst; 0: no pause. */
    __u64 due;                  /* When the next burst starts. */
    __u64 frames;
    __u64 began, ended;         /* First and last frame of MARK + 1. */
};

struct slot {
    __u32 len;
    __u8 data[COPY_MAX];
};

enum end_kind {
    END_SINK,                   /* Counts what matches and drops it. */
    END_SGW,                    /* Answers pings, counts and drops G-PDUs. */
    END_ECHO,                   /* Sends UDP back to where it came from. */
};

struct end_conf {
    __u32 match_at;             /* 4 bytes here, network byte order, */
    __u32 match_mask;           /* under this mask, */
    __u32 match_value;          /* have this value.  Mask 0: every frame. */
    __u32 stamp_at;
    __u32 teid_xor;             /* SGW: uplink to downlink TEID. */
    __u32 target;               /* SGW: address pinged, network order. */
    __u32 port;                 /* Echo: UDP port, host order. */
};

struct end_counts {              /* Per CPU. */
    __u64 packets;
    __u64 bytes;
    __u64 other;                /* Passed, or (SGW) switched G-PDUs. */
    __u64 first;                /* When the first and */
    __u64 last;                 /* the last came, CLOCK_MONOTONIC ns. */
};

#endif /* engine.h */
