/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names of other TOFs: see replicate_names.h. */

#include <config.h>

#include "persist/replicate_names.h"

#include <string.h>

#include "conf/conf.h"
#include "stream.h"

bool
replicate_is_allowed(const struct conf *conf, const struct stream *stream)
{
    const struct text_list *names = &conf->standby.names;
    const char *name = stream_get_peer_id(stream);

    for (size_t i = 0; name && i < names->n; i++) {
        if (!strcmp(names->items[i], name)) {
            return true;
        }
    }
    return !names->n;
}
