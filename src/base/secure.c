/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Random bytes, keys and hashes with a key: see secure.h. */

#include <config.h>

#include "base/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(secure);

int
secure_random(void *buf, size_t n)
{
    ssize_t got = getrandom(buf, n, GRND_NONBLOCK);

    /* Up to 256 bytes come in one piece, or not at all: getrandom(2). */
    return got < 0 ? errno : (size_t) got != n ? EIO : 0;
}

/* Reads the key in 'fd'.  Returns false if it is none of ours, or others could
 * have read it. */
static bool
read_key(int fd, struct secure_key *key)
{
    struct stat st;

    return (!fstat(fd, &st) && S_ISREG(st.st_mode)
            && st.st_uid == geteuid() && !(st.st_mode & 077)
            && st.st_size == sizeof *key
            && pread(fd, key, sizeof *key, 0) == sizeof *key);
}

/* Puts 'key' in the place of whatever is called 'name' in 'dir'.  Returns 0 or
 * a positive errno value. */
static int
write_key(const char *dir, const char *name, const struct secure_key *key)
{
    char *path = xasprintf("%s/%s", dir, name);
    char *temporary = xasprintf("%s.tmp", path);
    int fd, error = 0;

    unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error = errno;
    } else {
        ssize_t written = write(fd, key, sizeof *key);

        error = written < 0 ? errno : written != sizeof *key ? ENOSPC : 0;
        close(fd);
        if (!error && rename(temporary, path)) {
            error = errno;
        }
    }
    free(temporary);
    free(path);
    return error;
}

int
secure_key_load(const char *dir, const char *name, struct secure_key *key,
                bool *known)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = 0;

    *known = fd >= 0 && read_key(fd, key);
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    if (!*known) {
        error = secure_random(key, sizeof *key);
        *known = !error;
        error = error ? error : write_key(dir, name, key);
    }
    return error;
}

/* What is wrong with it as a place for a secret, or NULL. */
static const char *
file_problem(const struct stat *st)
{
    return (st->st_uid && st->st_uid != geteuid() ? "it is another user's"
            : st->st_mode & 022 ? "others can write it"
            : st->st_mode & 04 ? "everybody on this host can read it" : NULL);
}

void
secure_check_file(const char *key, const char *file)
{
    struct stat st;

    if (file && !stat(file, &st) && file_problem(&st)) {
        VLOG_WARN("%s: %s: %s; its mode should be 0600", key, file,
                  file_problem(&st));
    }
}

static uint64_t
rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void
sip_rounds(uint64_t v[4], int n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), section
 * 2.  Words are in host byte order: the hash differs from that of a host of
 * the other one, which nobody compares it with. */
uint64_t
secure_hash(const struct secure_key *key, const void *data, size_t n)
{
    const uint8_t *p = data, *end = p + n / 8 * 8;
    uint64_t last = (uint64_t) n << 56, word;
    uint64_t v[4] = {
        key->word[0] ^ 0x736f6d6570736575,
        key->word[1] ^ 0x646f72616e646f6d,
        key->word[0] ^ 0x6c7967656e657261,
        key->word[1] ^ 0x7465646279746573,
    };

    for (; p < end; p += 8) {
        memcpy(&word, p, 8);
        sip_word(v, word);
    }
    for (size_t i = 0; i < n % 8; i++) {
        last |= (uint64_t) end[i] << (8 * i);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t
secure_bytes_hash(const void *data, size_t n)
{
    static struct secure_key key;
    static bool known;

    if (!known) {
        /* Waits for the kernel's entropy; there is no table before. */
        if (getrandom(&key, sizeof key, 0) != sizeof key) {
            ovs_abort(errno, "getrandom");
        }
        known = true;
    }
    return secure_hash(&key, data, n);
}

uint32_t
secure_table_hash(const struct in6_addr *addr, uint32_t number)
{
    const struct {
        struct in6_addr addr;
        uint32_t number;
    } data = { *addr, number };

    return secure_bytes_hash(&data, sizeof data);
}
