/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_BUCKETS_H
#define TOF_BUCKETS_H 1

/* Which App of a service that has several serves which UEs.
 *
 * UEs are in buckets (nat_bucket()), and each bucket has one App.  Every App
 * has a number for every bucket, made of both and of nothing else, and has the
 * buckets for which its number is the highest (rendezvous).  So when one goes
 * its buckets go to the others, which keep theirs; when one comes it takes
 * buckets from the others, which take none from each other; and all TOFs agree,
 * whatever has happened before.
 *
 * An App of weight N has N numbers for a bucket, of which the highest one
 * counts: so it gets N times as much as one of weight 1, but for chance, and a
 * weight that grows by one is one more number, and moves no more than that
 * wins.
 *
 * Place in the flow: register.c has the buckets of a service filled when its Apps
 * have changed, or come or gone, and hands them to the NAT.  Pure: no I/O and no
 * state. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nat/nat.h"

/* An App, as far as it matters here.  No two of a service have one address. */
struct bucket_app {
    struct in6_addr ip;
    unsigned int weight;        /* 0: it gets no new connections. */
    bool usable;                /* If not, likewise. */
};

/* What all TOFs pass for 'seed'. */
#define BUCKETS_SEED 0

/* Fills in for each bucket the index of its App in 'apps', of which there are
 * 'n' < 256.  Returns false if none of them gets any; 'owners' are as before
 * then. */
bool buckets_fill(const struct bucket_app *apps, size_t n, uint32_t seed,
                  uint8_t owners[NAT_BUCKETS]);

#endif /* service/buckets.h */
