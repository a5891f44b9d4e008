/* SPDX-License-Identifier: GPL-3.0-or-later */

/* secure.h: the hash is SipHash, and that for tables is another one in each
 * process.  (What becomes of keys in files: test_pinger.c.) */

#include <config.h>

#include "base/secure.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "tap.h"
#include "util.h"

/* The paper's appendix A, and what its authors' program says of other lengths:
 * of the bytes 0, 1, 2, ... with the key 0, 1, ..., 15. */
static void
test_siphash(void)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {
        { 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd },
        { 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 },
    };
    struct secure_key key;
    uint8_t bytes[16];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = i;
    }
    memcpy(&key, bytes, sizeof key);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        tap_ok(secure_hash(&key, bytes, known[i].len) == known[i].hash,
               "%zu bytes", known[i].len);
    }
}

/* What a process that begins here makes of an address. */
static uint32_t
hash_in_another_process(const struct in6_addr *addr)
{
    uint32_t hash = 0;
    int fds[2];

    if (pipe(fds)) {
        return 0;
    }
    if (!fork()) {
        hash = secure_table_hash(addr, 1);
        _exit(write(fds[1], &hash, sizeof hash) != sizeof hash);
    }
    close(fds[1]);
    if (read(fds[0], &hash, sizeof hash) != sizeof hash) {
        hash = 0;
    }
    close(fds[0]);
    wait(NULL);
    return hash;
}

static void
test_table_hash(void)
{
    const struct in6_addr a = ip("10.45.0.2"), b = ip("10.45.0.3");
    uint32_t one = hash_in_another_process(&a);
    uint32_t two = hash_in_another_process(&a);
    uint32_t own = secure_table_hash(&a, 1);

    tap_ok(one && two && one != two && one != own && two != own,
           "in each process another hash");
    tap_ok(own == secure_table_hash(&a, 1), "in one the same");
    tap_ok(own != secure_table_hash(&b, 1) && own != secure_table_hash(&a, 2),
           "of address and number");
}

int
main(void)
{
    test_siphash();
    test_table_hash();
    return tap_done();
}
