/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_WORLD_H
#define TOF_WORLD_H 1

/* A random mobile network around the TOF: UEs, eNodeBs and SGWs that attach,
 * move, fall silent, are released and reuse their identifiers, and a judge
 * who knows at each moment whose tunnel is whose.
 *
 * Used by tests/unit/test_model.c, around the agent with a recording endpoint,
 * and by tests/model/model_driver.c, around a lab.  The user gives the time,
 * sends what the network sends, and brings back what the TOF sends.
 *
 * Whose a downlink tunnel is, and what nobody can know:
 *
 *  - TEIDs are small, and the lowest free one is used next.  So are UE
 *    addresses, and every network behind every SGW has the same ones.  UEs
 *    with one address use the same ports, too.
 *  - A UE whose address another one has behind the same SGW does not get an
 *    uplink TEID that its address had there last, or in which a service has
 *    last been asked by that: a bearer is known by both.
 *  - A tunnel that ends with an End Marker may belong to another UE
 *    'marker_us' later.  One that ends in silence (release, S1 release,
 *    handover with a lost End Marker) may do so 'silence_us' later: nobody on
 *    the wire can see that, so a TOF that stops after the evidence time is
 *    right.
 *  - An idle UE (S1 release) has had no traffic for 'silence_us': eNodeBs
 *    release a UE after an inactivity timer that is longer than the TOF's
 *    evidence time.  One that comes back to the eNodeB that it left has sent
 *    something on the way, or an End Marker was not lost.
 *  - In between it is nobody's: what comes there is answered by an Error
 *    Indication.
 *  - What left the TOF up to 'flight_us' after a tunnel changed hands was
 *    under way. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct world_config {
    uint64_t seed;
    int64_t silence_us, marker_us, flight_us;
    unsigned int n_shows;               /* Packets to the service in a tunnel
                                         * after which the TOF has to know whose
                                         * it is; 0: it may have forgotten. */
    unsigned int n_ues;                 /* UEs at a time, about. */
    uint32_t service, target;           /* IPv4, host byte order. */
    uint16_t ports[2];                  /* Of the service. */
    bool judge_ways;                    /* A connection has to stay where it
                                         * began: there are no guards. */
    /* Each gets an IP packet from its outer header on. */
    void (*from_enb)(const uint8_t *ip, size_t len);
    void (*from_sgw)(const uint8_t *ip, size_t len);
};

struct world_stats {
    uint64_t events;
    uint64_t attaches, releases, x2, s1, s1_releases, pages, silences;
    uint64_t markers, errors_sent, spoofs, natural, elsewhere;
    uint64_t asked;             /* Packets to the service. */
    uint64_t answered;          /* ... of which the answer arrived. */
    uint64_t switched;          /* ... that came to the SGW. */
    uint64_t leaks;             /* ... though an App had answered the UE. */
    uint64_t torn;              /* Answered, though an earlier one of the
                                 * connection had come to the SGW. */
    uint64_t pings, replies;    /* The Pinger's, and answers to them. */
    uint64_t old_path_replies;  /* ... by the path before a handover. */
    uint64_t namesakes;         /* Attaches of a UE while another one behind
                                 * the same SGW had its address. */
    uint64_t reused_down;       /* Downlink tunnels that changed hands. */
    uint64_t next_holder;       /* Answers to an address given on. */
    uint64_t dead_down;         /* Answers into a tunnel of nobody. */
    uint64_t dead_up;           /* Pings into a tunnel of nobody. */
    uint64_t blind_pings;       /* Pings into the tunnel of another UE, of
                                 * which nothing could be known. */
    uint64_t spoofed_answers;   /* Answers to spoofed packets, to the UE whose
                                 * address it was. */
    uint64_t in_flight;         /* Answers under way as a tunnel changed. */
    int64_t max_in_flight_us;
    uint64_t leaked;            /* Replies to the Pinger that came to a UE. */
    uint64_t violations;        /* One UE's traffic in another's tunnel. */
};

extern struct world_stats world_stats;

void world_init(const struct world_config *);

/* One random event at 'now' (µs). */
void world_step(int64_t now);
/* What is due: pages, path switches, replies. */
void world_tick(int64_t now);

/* What came out at the eNodeBs' side, or the SGWs', at 'now'. */
void world_at_enb(const uint8_t *ip, size_t len, int64_t now);
void world_at_sgw(const uint8_t *ip, size_t len, int64_t now);

/* What 'address' sends in that uplink tunnel of SGW 'sgw' is diverted, so that
 * its connections may begin at an App. */
void world_diverted(uint32_t sgw, uint32_t teid, uint32_t address);

/* What has just been sent to SGW 'sgw' is of a connection that stays on the
 * normal way: nobody looks whose it is, so it does not show who has the
 * tunnel. */
void world_stays(uint32_t sgw, uint32_t teid);

/* The TOF gives all UEs up: what waits for an App goes to the SGWs. */
void world_all_given_up(void);

/* For a judge of the control plane: true if downlink tunnel (eNodeB address,
 * TEID) may be used for 'ue' whose uplink tunnel is (sgw, up) at 'now'; a
 * tunnel of nobody harms nobody.  If not, says so and counts a violation. */
bool world_may_use(uint32_t enb, uint32_t teid, uint32_t ue, uint32_t sgw,
                   uint32_t up, int64_t now);

void world_print_stats(FILE *);
void world_print_log(FILE *);   /* The last events. */

#endif /* world.h */
