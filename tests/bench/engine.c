// SPDX-License-Identifier: GPL-3.0-or-later
/* The benches' traffic: makes frames, and counts what arrives.
 *
 * Place in the flow: tests/bench/tofbench (Python) starts one of these, writes
 * commands to its standard input, a line each, and reads a line for each:
 * "ok ..." or "error ...".  Frames are live frames of BPF_PROG_RUN: they start
 * at a device's transmit side as those of a driver would, without a socket.
 * (Only "trickle" sends by a socket.)
 *
 *   flow NAME ns= dev= KEY=VALUE...  a flow that leaves by 'dev'; keys are the
 *                                    members of struct flow_conf; with log=1
 *                                    "trickle" notes when frames were sent
 *   slot NAME N HEX                  a frame; N: slot, or -1 for all
 *   set NAME KEY=VALUE...            members of struct flow_state
 *   end NAME ns= dev= kind= KEY=...  an end at 'dev'; struct end_conf
 *   count NAME                       ok packets bytes other first last
 *   samples NAME FROM TO             ok and the latencies, in ns; 0: none
 *   reset NAME                       counts and samples to 0
 *   send NAME packets= rate=         ok sent ns; rate 0: as fast as it goes
 *   trickle NAME packets= rate=      the same by a packet socket, which leaves
 *                                    the processor to others between bursts
 *       by=FLOW at=N                 the Nth frame and on leave where those of
 *                                    FLOW do
 *   sent NAME FROM TO                ok and when those frames were sent, in ns
 *                                    of the clock that stamps are of
 *   compare NAME with= packets= rounds=
 *                                    ok and, for each round, the ns that
 *                                    'packets' frames took with the bare
 *                                    redirect, then with program 'with'
 *   drop NAME                        an end or a flow is no more
 *
 * Programs to compare are loaded by the commands of subject.c. */

#include <config.h>

#include "engine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define OBJECTS_MAX 32

static struct named {
    char name[32];
    struct flow *flow;
    struct end *end;
} objects[OBJECTS_MAX];
static size_t n_objects;

static const char *bpf_dir;

/* --- Small things ---------------------------------------------------------*/

void
reply(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void
fail(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply("error %s", text);
}

void
reply_numbers(const struct args *args, const uint64_t *numbers)
{
    int from = args->n > 2 ? atoi(args->words[2]) : 0;
    int to = args->n > 3 ? atoi(args->words[3]) : 0;

    printf("ok");
    for (int i = from; i < to && i < SAMPLES; i++) {
        printf(" %lu", numbers[i]);
    }
    putchar('\n');
    fflush(stdout);
}

const char *
arg(const struct args *args, const char *key)
{
    size_t len = strlen(key);

    for (int i = 0; i < args->n; i++) {
        if (!strncmp(args->words[i], key, len)
            && args->words[i][len] == '=') {
            return args->words[i] + len + 1;
        }
    }
    return NULL;
}

uint64_t
arg_number(const struct args *args, const char *key, uint64_t otherwise)
{
    const char *s = arg(args, key);

    return s ? strtoull(s, NULL, 0) : otherwise;
}

static int
enter(const char *ns)
{
    char path[64];
    int fd, error = 0;

    snprintf(path, sizeof path, "/run/netns/%s", ns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    if (setns(fd, CLONE_NEWNET)) {
        error = errno;
    }
    close(fd);
    return error;
}

unsigned int
device(const char *ns, const char *dev)
{
    int error = ns && dev ? enter(ns) : EINVAL;
    unsigned int index = error ? 0 : if_nametoindex(dev);

    if (!index) {
        fail("no device %s in namespace %s", dev ? dev : "?", ns ? ns : "?");
    }
    return index;
}

static struct named *
find(const char *name)
{
    for (size_t i = 0; i < n_objects; i++) {
        if (name && !strcmp(objects[i].name, name)) {
            return &objects[i];
        }
    }
    return NULL;
}

struct flow *
find_flow(const struct args *args)
{
    return named_flow(args->n > 1 ? args->words[1] : NULL);
}

struct flow *
named_flow(const char *name)
{
    struct named *o = find(name);

    if (!o || !o->flow) {
        fail("no such flow");
        return NULL;
    }
    return o->flow;
}

struct end *
find_end(const struct args *args)
{
    struct named *o = find(args->n > 1 ? args->words[1] : NULL);

    if (!o || !o->end) {
        fail("no such end");
        return NULL;
    }
    return o->end;
}

bool
add_object(const struct args *args, struct flow *flow, struct end *end)
{
    const char *name = args->words[1];

    if (n_objects == OBJECTS_MAX || find(name)) {
        fail("%s exists, or there are too many", name);
        return false;
    }
    struct named *o = &objects[n_objects++];
    snprintf(o->name, sizeof o->name, "%s", name);
    o->flow = flow;
    o->end = end;
    return true;
}

int
map_fd(const struct bpf_object *object, const char *name)
{
    return bpf_object__find_map_fd_by_name(object, name);
}

int
program_fd(const struct bpf_object *object, const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static size_t
whole_pages(size_t size)
{
    size_t page = sysconf(_SC_PAGESIZE);

    return (size + page - 1) / page * page;
}

void *
map_memory(int fd, size_t size)
{
    void *p = mmap(NULL, whole_pages(size), PROT_READ | PROT_WRITE,
                   MAP_SHARED, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

void
unmap_memory(void *p, size_t size)
{
    munmap(p, whole_pages(size));
}

struct bpf_object *
load(const char *file, const void *conf, size_t size)
{
    char path[512];
    struct bpf_object *object;
    struct bpf_map *map;
    size_t room;

    snprintf(path, sizeof path, "%s/%s", bpf_dir, file);
    object = bpf_object__open_file(path, NULL);
    if (!object) {
        fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    bpf_object__for_each_map(map, object) {
        if (strstr(bpf_map__name(map), ".rodata")) {
            void *value = (void *) bpf_map__initial_value(map, &room);
            memcpy(value, conf, size < room ? size : room);
        }
    }
    if (bpf_object__load(object)) {
        fail("%s does not load: %s", path, strerror(errno));
        bpf_object__close(object);
        return NULL;
    }
    return object;
}

/* --- Commands -------------------------------------------------------------*/

static void
drop(const struct args *args)
{
    struct named *o = find(args->words[1]);

    if (!o) {
        fail("no such thing");
        return;
    }
    if (o->end) {
        end_free(o->end);
    } else {
        flow_free(o->flow);
    }
    *o = objects[--n_objects];
    reply("ok");
}

static const struct command {
    const char *name;
    void (*run)(const struct args *);
} commands[] = {
    { "flow", flow_new }, { "slot", flow_slot }, { "set", flow_set },
    { "send", flow_send }, { "trickle", flow_trickle },
    { "compare", flow_compare }, { "sent", flow_sent },
    { "end", end_new }, { "count", end_count }, { "samples", end_samples },
    { "reset", end_reset }, { "drop", drop },
    { "subject", subject_load },
    { "unload", subject_unload },
};

static void
obey(char *line)
{
    struct args args = { .n = 0 };
    char *save = NULL;

    for (char *w = strtok_r(line, " \n", &save); w && args.n < ARGS_MAX;
         w = strtok_r(NULL, " \n", &save)) {
        args.words[args.n++] = w;
    }
    for (size_t i = 0; args.n > 1 && i < sizeof commands / sizeof *commands;
         i++) {
        if (!strcmp(commands[i].name, args.words[0])) {
            commands[i].run(&args);
            return;
        }
    }
    fail("no such command");
}

/* engine BPF-DIRECTORY [CPU] */
int
main(int argc, char *argv[])
{
    struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
    char *line = NULL;
    size_t room = 0;
    cpu_set_t cpus;

    bpf_dir = argc > 1 ? argv[1] : ".";
    if (argc > 2) {
        CPU_ZERO(&cpus);
        CPU_SET(atoi(argv[2]), &cpus);
        sched_setaffinity(0, sizeof cpus, &cpus);
    }
    setrlimit(RLIMIT_MEMLOCK, &all);
    libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    while (getline(&line, &room, stdin) > 0) {
        obey(line);
    }
    free(line);
    return 0;
}
