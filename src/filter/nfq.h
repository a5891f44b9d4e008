/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NFQ_H
#define TOF_NFQ_H 1

/* The learn namespace and its queues.
 *
 * Place in the flow: what the GTP Filter copies or holds comes by veth into
 * the namespace "tof-learn", whose only rules put it into NFQUEUE number
 * enum filter_queue; from there nfq.c hands it to detect.c.  Every packet gets
 * the verdict to drop at once: a copy has served, and of a held one the agent
 * has the bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/filter.h"

struct nfq_packet {
    enum filter_queue queue;
    const uint8_t *ip;          /* From the outer IP header on. */
    size_t len;
    const uint8_t *src_mac;     /* 6 bytes, or NULL. */
    uint32_t tag;               /* LINK_TAG_PRESENT | TCI, or 0. */
    long long int since;        /* It came after this (time_msec()), however
                                 * late it is read. */
};
typedef void nfq_cb(const struct nfq_packet *);

/* Makes namespace, veths (MTU 'mtu') and rules, or adopts them, and binds the
 * queues.  Returns 0 or a positive errno value with '*what' (malloc'd). */
int queues_init(unsigned int mtu, nfq_cb *, char **what);
void queues_close(void);

/* True if the rules of the namespace are those that were put there.  (Its
 * links, whose ends are the filter's, are looked at there.) */
bool queues_in_force(void);

/* True if packets with a VLAN tag reach the queues, too. */
bool queues_take_tagged(void);

/* Handles at most a fixed number of packets of each queue: held ones first. */
void queues_run(void);
/* True if the last queues_run() may have left copies that had come before it
 * read what was held. */
bool queues_are_behind(void);
void queues_wait(void);

#endif /* filter/nfq.h */
