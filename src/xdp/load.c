/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Loading, pinning and attaching of eBPF programs: see load.h.
 *
 * Pinned are all maps but the constants, and one link for each interface.  A
 * new tofd loads its own programs with the maps that it finds and puts them in
 * the links' place (bpf_link_update): not one packet meets no program. */

#define _GNU_SOURCE 1

#include "xdp/load.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "util.h"
#include "xdp/table.h"
#include "xdp/tof.skel.h"

#define BPFFS "/sys/fs/bpf"

/* Three places in the table of sessions for each bearer, which needs two: most
 * buckets have one to spare. */
#define PLACES_PER_BEARER 3
#define BYTES_PER_BEARER 160
_Static_assert(PLACES_PER_BEARER * sizeof(struct xdp_entry)
               + sizeof(struct xdp_template) == BYTES_PER_BEARER,
               "doc/LIMITS.md says how much memory a bearer takes");
/* Identifiers may be a few more than bearers. */
#define SPARE_SLOTS 1024

struct xdp {
    struct tof_bpf *skel;
    struct xdp_table table;
    char *pin_dir;
    bool adopted;
    int links[XDP_N_DEVS];      /* -1: not attached. */
};

static const char *const link_names[XDP_N_DEVS] = {
    [XDP_DEV_ENB] = "link_enb",
    [XDP_DEV_SGW] = "link_sgw",
    [XDP_DEV_UE] = "link_ue",
    [XDP_DEV_S1U] = "link_s1u",
    [XDP_DEV_TUN] = "link_tun",
    [XDP_DEV_NAT] = "link_nat",
    [XDP_DEV_TUN_PORT] = "link_tun_port",
    [XDP_DEV_NAT_PORT] = "link_nat_port",
};

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    return level == LIBBPF_WARN && getenv("TOF_LIBBPF_LOG")
        ? vfprintf(stderr, format, args) : 0;
}

static int
failed(char **what, int error, const char *text)
{
    if (error && !*what) {
        *what = strdup(text);
    }
    return error < 0 ? -error : error;
}

/* --- Where things are pinned. --- */

static char *
path_in(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

char *
xdp_pin_dir(void)
{
    struct stat st;
    char *path;

    if (stat("/proc/self/ns/net", &st)
        || asprintf(&path, BPFFS "/tof/%llu",
                    (unsigned long long) st.st_ino) < 0) {
        return NULL;
    }
    return path;
}

static int
make_pin_dir(const char *dir)
{
    struct statfs fs;

    if (statfs(BPFFS, &fs)) {
        return errno;
    }
    if (fs.f_type != BPF_FS_MAGIC
        && mount("bpf", BPFFS, "bpf", 0, "mode=0700")) {
        return errno;
    }
    mkdir(BPFFS "/tof", 0700);
    return mkdir(dir, 0700) && errno != EEXIST ? errno : 0;
}

/* Names of maps are those in the object, but for the dot. */
static char *
map_path(const struct xdp *x, const struct bpf_map *map)
{
    const char *dot = strrchr(bpf_map__name(map), '.');

    return path_in(x->pin_dir, dot ? dot + 1 : bpf_map__name(map));
}

static bool
is_constant(const struct xdp *x, const struct bpf_map *map)
{
    return map == x->skel->maps.rodata;
}

void
xdp_unpin(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char *path = path_in(dir, e->d_name);
        unlink(path);           /* Not "." and "..". */
        free(path);
    }
    if (d) {
        closedir(d);
        rmdir(dir);
    }
}

bool
xdp_was_attached(const char *dir, enum xdp_dev dev)
{
    char *path = path_in(dir, link_names[dev]);
    bool was = !access(path, F_OK);

    free(path);
    return was;
}

/* --- Maps. --- */

static bool
has_shape(int fd, const struct bpf_map *map)
{
    struct bpf_map_info info = { 0 };
    uint32_t len = sizeof info;

    return (!bpf_obj_get_info_by_fd(fd, &info, &len)
            && info.type == bpf_map__type(map)
            && info.key_size == bpf_map__key_size(map)
            && info.value_size == bpf_map__value_size(map)
            && info.max_entries == bpf_map__max_entries(map)
            && info.map_flags == (info.type == BPF_MAP_TYPE_DEVMAP
                                  ? info.map_flags
                                  : bpf_map__map_flags(map)));
}

static int
get_pinned(const struct xdp *x, const struct bpf_map *map)
{
    char *path = map_path(x, map);
    int fd = bpf_obj_get(path);

    free(path);
    if (fd >= 0 && !has_shape(fd, map)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Are all maps there, as this version wants them?  Then '*config' is what is
 * in force. */
static bool
find_pinned(const struct xdp *x, struct xdp_config *config)
{
    struct bpf_map *map;
    uint32_t zero = 0;

    bpf_object__for_each_map (map, x->skel->obj) {
        int fd = is_constant(x, map) ? -1 : get_pinned(x, map);
        if (is_constant(x, map)) {
            continue;
        } else if (fd < 0) {
            return false;
        }
        if (map == x->skel->maps.data_config
            && bpf_map_lookup_elem(fd, &zero, config)) {
            close(fd);
            return false;
        }
        close(fd);
    }
    return config->layout == XDP_LAYOUT;
}

static int
reuse_pinned(const struct xdp *x)
{
    struct bpf_map *map;

    bpf_object__for_each_map (map, x->skel->obj) {
        if (!is_constant(x, map)) {
            int fd = get_pinned(x, map);
            int error = fd < 0 ? -ENOENT : bpf_map__reuse_fd(map, fd);
            if (fd >= 0) {
                close(fd);
            }
            if (error) {
                return -error;
            }
        }
    }
    return 0;
}

static int
pin_maps(const struct xdp *x)
{
    struct bpf_map *map;

    bpf_object__for_each_map (map, x->skel->obj) {
        if (!is_constant(x, map)) {
            char *path = map_path(x, map);
            unlink(path);
            int error = bpf_obj_pin(bpf_map__fd(map), path);
            free(path);
            if (error) {
                return errno;
            }
        }
    }
    return 0;
}

static void *
map_memory(const struct bpf_map *map)
{
    size_t size = (size_t) bpf_map__value_size(map)
        * bpf_map__max_entries(map);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                   bpf_map__fd(map), 0);

    return p == MAP_FAILED ? NULL : p;
}

static void
unmap_memory(const struct bpf_map *map, void *p)
{
    if (p) {
        munmap(p, (size_t) bpf_map__value_size(map)
               * bpf_map__max_entries(map));
    }
}

static int
map_tables(struct xdp *x)
{
    struct xdp_table *t = &x->table;

    t->buckets = map_memory(x->skel->maps.sessions);
    t->templates = map_memory(x->skel->maps.templates);
    t->paths = map_memory(x->skel->maps.paths);
    t->services = map_memory(x->skel->maps.services);
    t->config = &x->skel->data_config->config;
    return (t->buckets && t->templates && t->paths && t->services
            ? 0 : ENOMEM);
}

/* --- Start and end. --- */

static int
open_object(struct xdp *x, uint32_t max_bearers, bool trace_whole)
{
    uint32_t n_buckets = ((uint64_t) max_bearers * PLACES_PER_BEARER
                          / XDP_BUCKET + 1);

    x->skel = tof_bpf__open();
    if (!x->skel) {
        return errno;
    }
    x->skel->rodata->trace_whole = trace_whole;
    /* A page at least: it is mapped as a whole. */
    n_buckets = n_buckets < 16 ? 16 : n_buckets;
    bpf_map__set_max_entries(x->skel->maps.sessions, n_buckets);
    bpf_map__set_max_entries(x->skel->maps.templates,
                             max_bearers + SPARE_SLOTS);
    return 0;
}

static int
load_object(struct xdp *x)
{
    struct xdp_config *config = &x->skel->data_config->config;
    struct xdp_config found = { .layout = 0 };
    int error = 0;

    if (getrandom(&config->seed, sizeof config->seed, 0) < 0) {
        return errno;
    }
    config->layout = XDP_LAYOUT;
    config->n_buckets = bpf_map__max_entries(x->skel->maps.sessions);
    config->n_templates = bpf_map__max_entries(x->skel->maps.templates);
    if (x->pin_dir && find_pinned(x, &found)) {
        error = reuse_pinned(x);
        x->adopted = !error;
    }
    x->skel->rodata->seed = x->adopted ? found.seed : config->seed;
    x->skel->rodata->n_buckets = config->n_buckets;
    return error ? error : -tof_bpf__load(x->skel);
}

int
xdp_load(uint32_t max_bearers, bool trace_whole, const char *pin_dir,
         struct xdp **xp, char **what)
{
    struct xdp *x = calloc(1, sizeof *x);
    int error;

    *what = NULL;
    *xp = NULL;
#if !defined(__x86_64__)
    /* The programs read without barriers what table.c writes. */
    free(x);
    return failed(what, ENOTSUP, "this processor may reorder loads");
#endif
    libbpf_set_print(quiet);
    for (int i = 0; i < XDP_N_DEVS; i++) {
        x->links[i] = -1;
    }
    x->pin_dir = pin_dir ? strdup(pin_dir) : NULL;
    error = pin_dir ? failed(what, make_pin_dir(pin_dir), BPFFS) : 0;
    if (!error) {
        error = failed(what, open_object(x, max_bearers, trace_whole),
                       "eBPF object");
    }
    if (!error) {
        error = failed(what, load_object(x), "loading eBPF programs");
    }
    if (!error && pin_dir && !x->adopted) {
        error = failed(what, pin_maps(x), "pinning eBPF maps");
    }
    if (!error) {
        error = failed(what, map_tables(x), "mapping eBPF maps");
    }
    if (error) {
        xdp_unload(x);
    } else {
        *xp = x;
    }
    return error;
}

void
xdp_unload(struct xdp *x)
{
    if (!x) {
        return;
    }
    for (int i = 0; i < XDP_N_DEVS; i++) {
        if (x->links[i] >= 0) {
            close(x->links[i]);
        }
    }
    if (x->skel) {
        unmap_memory(x->skel->maps.sessions, x->table.buckets);
        unmap_memory(x->skel->maps.templates, x->table.templates);
        unmap_memory(x->skel->maps.paths, x->table.paths);
        unmap_memory(x->skel->maps.services, x->table.services);
        tof_bpf__destroy(x->skel);
    }
    free(x->pin_dir);
    free(x);
}

bool
xdp_is_adopted(const struct xdp *x)
{
    return x->adopted;
}

struct xdp_table *
xdp_table(struct xdp *x)
{
    return &x->table;
}

/* --- Interfaces. --- */

int
xdp_prog_fd(const struct xdp *x, enum xdp_dev dev)
{
    const struct bpf_program *progs[XDP_N_DEVS] = {
        [XDP_DEV_ENB] = x->skel->progs.tof_enb,
        [XDP_DEV_SGW] = x->skel->progs.tof_sgw,
        [XDP_DEV_UE] = x->skel->progs.tof_ue,
        [XDP_DEV_S1U] = x->skel->progs.tof_s1u,
        [XDP_DEV_TUN] = x->skel->progs.tof_tun,
        [XDP_DEV_NAT] = x->skel->progs.tof_nat,
        [XDP_DEV_TUN_PORT] = x->skel->progs.tof_port,
        [XDP_DEV_NAT_PORT] = x->skel->progs.tof_port,
    };

    return bpf_program__fd(progs[dev]);
}

int
xdp_map_fd(const struct xdp *x, const char *name)
{
    return bpf_object__find_map_fd_by_name(x->skel->obj, name);
}

int
xdp_set_dev(struct xdp *x, enum xdp_dev dev, int ifindex)
{
    uint32_t key = dev, value = ifindex;

    return bpf_map_update_elem(bpf_map__fd(x->skel->maps.devs), &key, &value,
                               0) ? errno : 0;
}

/* Interface that the link is attached to; 0 if to none any more. */
static int
link_ifindex(int fd)
{
    struct bpf_link_info info = { 0 };
    uint32_t len = sizeof info;

    return (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len)
            ? 0 : (int) info.xdp.ifindex);
}

static bool
is_generic(int ifindex)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, opts);

    return (!bpf_xdp_query(ifindex, 0, &opts)
            && opts.attach_mode == XDP_ATTACHED_SKB);
}

/* Makes a link, which ends with us or is pinned at 'path'. */
static int
create_link(struct xdp *x, enum xdp_dev dev, int ifindex, bool generic,
            const char *path)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts,
                .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    int fd = bpf_link_create(xdp_prog_fd(x, dev), ifindex, BPF_XDP, &opts);

    if (fd < 0) {
        return errno;
    }
    if (path && bpf_obj_pin(fd, path)) {
        int error = errno;
        close(fd);
        return error;
    }
    x->links[dev] = fd;
    return 0;
}

/* An earlier link goes on with our program, or goes. */
static void
take_over_link(struct xdp *x, enum xdp_dev dev, int ifindex, bool generic,
               const char *path)
{
    int fd = x->links[dev];

    if (fd < 0 && path) {
        fd = bpf_obj_get(path);
    }
    if (fd >= 0 && (link_ifindex(fd) != ifindex
                    || is_generic(ifindex) != generic
                    || bpf_link_update(fd, xdp_prog_fd(x, dev), NULL))) {
        /* At once: closing it may take effect later. */
        bpf_link_detach(fd);
        close(fd);
        fd = -1;
        if (path) {
            unlink(path);
        }
    }
    x->links[dev] = fd;
}

static bool
is_missing(char *path)
{
    bool missing = access(path, F_OK) && errno == ENOENT;

    free(path);
    return missing;
}

static bool
pins_are_missing(const struct xdp *x)
{
    struct bpf_map *map;

    bpf_object__for_each_map (map, x->skel->obj) {
        if (!is_constant(x, map) && is_missing(map_path(x, map))) {
            return true;
        }
    }
    for (int i = 0; i < XDP_N_DEVS; i++) {
        if (x->links[i] >= 0
            && is_missing(path_in(x->pin_dir, link_names[i]))) {
            return true;
        }
    }
    return false;
}

bool
xdp_pin_again(struct xdp *x)
{
    if (!x->pin_dir || !pins_are_missing(x) || make_pin_dir(x->pin_dir)
        || pin_maps(x)) {
        return false;
    }
    for (int i = 0; i < XDP_N_DEVS; i++) {
        char *path = path_in(x->pin_dir, link_names[i]);
        int error = 0;

        if (x->links[i] >= 0) {
            unlink(path);
            error = bpf_obj_pin(x->links[i], path);
        }
        free(path);
        if (error) {
            return false;
        }
    }
    return true;
}

int
xdp_attach(struct xdp *x, enum xdp_dev dev, int ifindex, bool generic)
{
    char *path = x->pin_dir ? path_in(x->pin_dir, link_names[dev]) : NULL;
    int error = 0;

    xdp_pin_again(x);           /* `tof-net down` removes pins. */
    take_over_link(x, dev, ifindex, generic, path);
    if (x->links[dev] < 0) {
        error = create_link(x, dev, ifindex, generic, path);
    }
    free(path);
    return error ? error : xdp_set_dev(x, dev, ifindex);
}

bool
xdp_is_attached(struct xdp *x, enum xdp_dev dev, int ifindex)
{
    return ifindex && link_ifindex(x->links[dev]) == ifindex;
}

/* --- Counters. --- */

/* Adds up the 'n' words of an element of a per-CPU map. */
static int
sum_cpus(const struct bpf_map *map, uint32_t index, uint64_t *sum, size_t n)
{
    int n_cpus = libbpf_num_possible_cpus();
    uint64_t *all = calloc(n_cpus, n * sizeof *all);
    int error = (bpf_map_lookup_elem(bpf_map__fd(map), &index, all)
                 ? errno : 0);

    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; !error && i < n_cpus * n; i++) {
        sum[i % n] += all[i];
    }
    free(all);
    return error;
}

int
xdp_read_stats(struct xdp *x, struct xdp_stats *stats)
{
    return sum_cpus(x->skel->maps.stats, 0, (uint64_t *) stats,
                    sizeof *stats / 8);
}

int
xdp_read_service_stats(struct xdp *x, uint32_t index,
                       struct xdp_service_stats *stats)
{
    return sum_cpus(x->skel->maps.service_stats, index, (uint64_t *) stats,
                    sizeof *stats / 8);
}

int
xdp_clear_service_stats(struct xdp *x, uint32_t index)
{
    int n_cpus = libbpf_num_possible_cpus();
    struct xdp_service_stats *zero = calloc(n_cpus, sizeof *zero);
    int error = bpf_map_update_elem(bpf_map__fd(x->skel->maps.service_stats),
                                    &index, zero, 0) ? errno : 0;

    free(zero);
    return error;
}
