// SPDX-License-Identifier: GPL-3.0-or-later
/* Where frames end: programs of end.bpf.c at devices, and their counts.
 *
 * Place in the flow: a part of engine.c, which says what the commands are. */

#include <config.h>

#include "engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/if_link.h>

void
end_new(const struct args *args)
{
    const char *ns = arg(args, "ns"), *kind = arg(args, "kind");
    struct end_conf conf = {
        .match_at = arg_number(args, "match_at", 0),
        .match_mask = arg_number(args, "match_mask", 0),
        .match_value = arg_number(args, "match_value", 0),
        .stamp_at = arg_number(args, "stamp_at", 0),
        .teid_xor = arg_number(args, "teid_xor", 0),
        .target = arg_number(args, "target", 0),
        .port = arg_number(args, "port", 0),
    };
    unsigned int index = device(ns, arg(args, "dev"));
    struct bpf_object *object
        = index ? load("end.bpf.o", &conf, sizeof conf) : NULL;
    if (!object) {
        return;
    }

    struct bpf_program *program
        = bpf_object__find_program_by_name(object, kind ? kind : "sink");
    uint32_t zero = 0;
    LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
    bpf_map_update_elem(map_fd(object, "back"), &zero, &index, 0);
    int link = program ? bpf_link_create(bpf_program__fd(program), index,
                                         BPF_XDP, &opts) : -EINVAL;
    if (link < 0) {
        fail("end %s: %s", args->words[1], strerror(-link));
        bpf_object__close(object);
        return;
    }
    struct end *e = calloc(1, sizeof *e);
    e->object = object;
    e->link = link;
    e->samples = map_memory(map_fd(object, "samples"),
                            SAMPLES * sizeof *e->samples);
    if (add_object(args, NULL, e)) {
        reply("ok");
    }
}

void
end_count(const struct args *args)
{
    struct end *e = find_end(args);
    int n = libbpf_num_possible_cpus();
    struct end_counts *counts, sum = { .packets = 0 };
    uint32_t zero = 0;

    if (!e) {
        return;
    }
    counts = calloc(n, sizeof *counts);
    bpf_map_lookup_elem(map_fd(e->object, "counts"), &zero, counts);
    for (int i = 0; i < n; i++) {
        sum.packets += counts[i].packets;
        sum.bytes += counts[i].bytes;
        sum.other += counts[i].other;
        if (counts[i].first && (!sum.first || counts[i].first < sum.first)) {
            sum.first = counts[i].first;
        }
        if (counts[i].last > sum.last) {
            sum.last = counts[i].last;
        }
    }
    free(counts);
    reply("ok %llu %llu %llu %llu %llu", sum.packets, sum.bytes, sum.other,
          sum.first, sum.last);
}

void
end_reset(const struct args *args)
{
    struct end *e = find_end(args);
    uint32_t zero = 0;

    if (!e) {
        return;
    }
    struct end_counts *none = calloc(libbpf_num_possible_cpus(), sizeof *none);
    bpf_map_update_elem(map_fd(e->object, "counts"), &zero, none, 0);
    memset(e->samples, 0, SAMPLES * sizeof *e->samples);
    free(none);
    reply("ok");
}

void
end_samples(const struct args *args)
{
    struct end *e = find_end(args);

    if (!e) {
        return;
    }
    reply_numbers(args, e->samples);
}

void
end_free(struct end *e)
{
    close(e->link);
    unmap_memory(e->samples, SAMPLES * sizeof *e->samples);
    bpf_object__close(e->object);
    free(e);
}
