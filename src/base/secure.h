/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_SECURE_H
#define TOF_SECURE_H 1

/* What others must not guess: random bytes, keys, and hashes with a key.
 *
 * Place in the flow: pinger.c takes its nonces, its key and its tags from
 * here; tables whose keys a UE or a peer chooses take their hashes from here.
 * (OVS's random.h is a generator of 32 bits: who sees one number knows all
 * that follow.  It is good enough for what nobody gains by knowing.) */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills 'buf' with 'n' <= 256 random bytes of the kernel's.  Returns 0, or a
 * positive errno value and then there are none: EAGAIN if the kernel has not
 * gathered enough entropy yet since it has been started. */
int secure_random(void *buf, size_t n);

struct secure_key {
    uint64_t word[2];
};

/* Takes the key in file 'name' of directory 'dir', which an earlier process
 * has left there.  If there is none (or it is not a file of ours that only we
 * can read), makes one and leaves it there for the next process.  Returns 0,
 * or a positive errno value.  '*known' tells whether there is a key all the
 * same: one that could not be written, but serves this process. */
int secure_key_load(const char *dir, const char *name, struct secure_key *,
                    bool *known);

/* SipHash-2-4 of 'n' bytes: only who has the key can tell it from a random
 * number. */
uint64_t secure_hash(const struct secure_key *, const void *, size_t n);

/* A hash for tables of 'addr' and 'number' (a TEID, say), with a key that each
 * process makes for itself: nobody can fill a bucket by choosing them.  Not to
 * be shown or stored. */
uint32_t secure_table_hash(const struct in6_addr *addr, uint32_t number);
/* The same of any 'n' bytes. */
uint32_t secure_bytes_hash(const void *, size_t n);

/* Says in the log if other users than the owner and the group may read 'file',
 * or others than the owner change it, or if its owner is neither root nor this
 * user: it holds a secret.  'key' of the configuration names it; NULL is
 * fine. */
void secure_check_file(const char *key, const char *file);

#endif /* secure.h */
