/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_WORLD_PRIVATE_H
#define TOF_WORLD_PRIVATE_H 1

/* What the parts of the random network share: world.c (what happens to UEs),
 * world_nodes.c (who holds which identifier), world_traffic.c (what they
 * send), world_judge.c (what becomes of it). */

#include "world.h"

#define N_ENBS 4
#define N_SGWS 3
#define N_TEIDS 128             /* A node; 0 is not used. */
#define N_NETWORKS 2            /* Behind an SGW. */
#define N_ADDRESSES 96          /* A network. */
#define MAX_UES 160
#define MAX_BEARERS 2
#define MAX_REPLIES 16
#define N_SRC_PORTS 2
#define N_PORTS 2
#define N_FLOWS (MAX_BEARERS * N_SRC_PORTS * N_PORTS)   /* Of a UE to the
                                                         * service. */

struct fteid {
    int node;                   /* -1: none. */
    int teid;
};

struct reply {                  /* To a ping, waiting to be sent. */
    int64_t due;
    int bearer;
    size_t len;
    uint8_t ip[128];
};

struct ue {
    bool used;
    uint32_t gen;               /* Another one for each attach. */
    int sgw, network, address;
    uint32_t seq;               /* Of the last question when it came to its
                                 * SGW. */
    unsigned int sgws;          /* Bits: where it has been.  The gateway behind
                                 * them sends by the last one what came by
                                 * another. */
    int n_bearers;
    int up[MAX_BEARERS];        /* TEIDs at the SGW. */
    int enb;                    /* -1: idle. */
    struct fteid down[MAX_BEARERS];     /* As the SGW has it. */
    struct fteid next[MAX_BEARERS];     /* After the path switch. */
    int64_t switch_due;         /* 0: no path switch under way. */
    int64_t page_due;           /* 0: not being paged. */
    int64_t quiet_until;
    int64_t traffic;            /* The last, in any direction. */
    bool shown;                 /* Has sent since it is at this eNodeB. */
    bool by_default;            /* Pings are answered by bearer 0. */
    struct reply replies[MAX_REPLIES];
    int n_replies;
    unsigned int at_app;        /* Bits: its connections that an App has
                                 * answered, behind the SGW that it has now,
                                 * and whose bearer has not been given up
                                 * since. */
    int64_t given_up[MAX_BEARERS];
                                /* When that bearer last was.  What was asked
                                 * in it before may be answered later, by the
                                 * other bearer, say: that an App got it while
                                 * the bearer was diverted does not show that
                                 * it is diverted again. */
    int64_t at_sgw[N_FLOWS];    /* When a packet of that connection last came
                                 * to the SGW that the UE has now, or 0. */
};

#define N_AT_APP 4              /* Addresses differ in their last 8 bits. */

struct tunnel_end {             /* A TEID at a node. */
    struct ue *owner;
    int64_t free_at;
    int64_t changed;            /* When it got its owner. */
    uint32_t last_address;      /* Owner before this one. */
    int last_sgw;
    int64_t left;               /* When it was given up by that one, */
    bool marked;                /* with an End Marker. */
    unsigned int n_shows;
    int64_t shown;              /* When the owner first sent to the service in
                                 * it; 0: not yet. */
    uint32_t asked;             /* Whose address was last used in it to ask the
                                 * service; also by owners before this one. */
    uint64_t at_app[N_AT_APP];  /* Bits: addresses of whom it was diverted. */
    uint32_t claimed[2];        /* Whose addresses the owner has last used in
                                 * it. */
};

extern struct world_config world_config;
extern int64_t world_now;
extern struct ue ues[MAX_UES];
extern uint32_t last_seq;       /* Of payloads. */
extern struct tunnel_end downs[N_ENBS][N_TEIDS], ups[N_SGWS][N_TEIDS];
extern int64_t address_free[N_SGWS][N_NETWORKS][N_ADDRESSES];   /* -1: in
                                                                 * use. */

/* world_nodes.c */

void nodes_init(uint64_t seed);

__attribute__((format(printf, 1, 2)))
void say(const char *format, ...);      /* To the log. */

uint32_t dice(uint32_t n);              /* Less than 'n'. */
bool chance(int percent);

/* Addresses; and the node that has one, -1 for none. */
uint32_t enb_ip(int enb);
uint32_t sgw_ip(int sgw);
uint32_t ue_ip(const struct ue *);
int enb_of(uint32_t ip);
int sgw_of(uint32_t ip);

/* TEIDs of a node's 'ends': the lowest one that is free, or 0; given back, it
 * is free 'after' µs later. */
int teid_take(struct tunnel_end *ends, struct ue *);
void teid_free(struct tunnel_end *, int64_t after);
int n_free(const struct tunnel_end *ends);
/* Whether one of the next 'n' was last that of a UE with that address. */
bool were_of(const struct tunnel_end *ends, int n, uint32_t address);

/* The same for a downlink tunnel of a UE. */
void down_take(struct ue *, struct fteid *, int enb);
void down_free(struct fteid *, int64_t after);

/* world.c */

struct ue *random_ue(void);             /* Not a silent one; may be NULL. */
bool connect_ue(struct ue *, int enb);  /* Gives it a context there. */

/* A packet to the service, by its number; not one that is long ago. */
struct asked {
    uint32_t seq;               /* 0: none. */
    int64_t at;
    int flow;                   /* See struct ue. */
};
struct asked *asked_find(uint32_t seq);

/* world_traffic.c: false if it cannot happen now. */

bool ask_service(void);
bool ask_elsewhere(void);
bool natural(void);
bool spoof(void);
bool stray_error(void);
bool stray_marker(void);

void send_marker(const struct ue *, const struct fteid *);
void send_error(bool from_enb, uint32_t from, uint32_t to, uint32_t teid);
void run_replies(struct ue *);          /* To the Pinger. */

#endif /* world_private.h */
