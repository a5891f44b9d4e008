/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_BENCH_ENGINE_PRIVATE_H
#define TOF_BENCH_ENGINE_PRIVATE_H 1

/* What the files of the benches' engine share: engine.c (commands, names),
 * flow.c (what is sent), end.c (what arrives), subject.c (what is
 * compared). */

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "engine.h"

#define ARGS_MAX 32

/* A command, in words: its name, what it is about, KEY=VALUE... */
struct args {
    char *words[ARGS_MAX];
    int n;
};

struct flow {
    struct bpf_object *object;
    struct flow_conf conf;
    struct flow_state *state;   /* The map itself. */
    char ns[32], dev[32], ingress[32];
    int sock;                   /* For flow_trickle(), or -1. */
    uint64_t *sent;             /* When, by sequence number; or NULL. */
    struct slot slots[SLOTS];
    unsigned char frame[FRAME_MAX]; /* The longest of them, all of it. */
    unsigned int len;
};

struct end {
    struct bpf_object *object;
    int link;
    uint64_t *samples;          /* The map itself. */
};

/* --- engine.c -------------------------------------------------------------*/

/* The value of 'key', or NULL; as a number, or 'otherwise'. */
const char *arg(const struct args *, const char *key);
uint64_t arg_number(const struct args *, const char *key, uint64_t otherwise);

/* The command's answer: every command gives exactly one. */
void reply(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The answer "ok" and numbers of those SAMPLES, as the command's third and
 * fourth word say: FROM, and TO, which is not among them. */
void reply_numbers(const struct args *, const uint64_t *);

/* The ifindex of 'dev' in 'ns', which is then the namespace that we are in;
 * or 0, and fail() has been called. */
unsigned int device(const char *ns, const char *dev);

/* The flow or end that the command is about; or NULL after fail(). */
struct flow *find_flow(const struct args *);
struct flow *named_flow(const char *name);
struct end *find_end(const struct args *);

/* Gives 'flow' or 'end' the name that the command says.  False, after
 * fail(), if there is one. */
bool add_object(const struct args *, struct flow *, struct end *);

/* Loads FILE of our directory with 'conf' as its constants; NULL after
 * fail(). */
struct bpf_object *load(const char *file, const void *conf, size_t size);

int map_fd(const struct bpf_object *, const char *name);
int program_fd(const struct bpf_object *, const char *name);
/* A map with BPF_F_MMAPABLE, as memory of whole pages; and its end. */
void *map_memory(int fd, size_t size);
void unmap_memory(void *, size_t size);

/* --- flow.c ---------------------------------------------------------------*/

void flow_new(const struct args *);
void flow_slot(const struct args *);
void flow_set(const struct args *);
void flow_send(const struct args *);
void flow_trickle(const struct args *);
void flow_sent(const struct args *);
void flow_compare(const struct args *);
void flow_free(struct flow *);

/* --- end.c ----------------------------------------------------------------*/

void end_new(const struct args *);
void end_count(const struct args *);
void end_samples(const struct args *);
void end_reset(const struct args *);
void end_free(struct end *);

/* --- subject.c ------------------------------------------------------------*/

void subject_load(const struct args *);
void subject_unload(const struct args *);

/* The program 'name' of what subject_load() has loaded, or -1. */
int subject_fd(const char *name);

#endif /* engine_private.h */
