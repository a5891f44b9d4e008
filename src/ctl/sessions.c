/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list of sessions: see sessions.h. */

#include <config.h>

#include "ctl/sessions.h"

#include <jansson.h>
#include <stdlib.h>

#include "ctl/http.h"
#include "ctl/table.h"

struct filters filters;

json_t *
sessions_get(const char *ue)
{
    char *filter = format_text("/session?limit=10000");
    json_t *sessions = json_array();
    struct answer answer = { .cursor = "" };

    http_add_parameter(&filter, "ue", ue);
    http_add_parameter(&filter, "state", filters.state);
    http_add_parameter(&filter, "enb", filters.enb);
    http_add_parameter(&filter, "sgw", filters.sgw);
    do {
        char *path = format_text("%s%s%s", filter,
                                 answer.cursor[0] ? "&cursor=" : "",
                                 answer.cursor);
        json_t *page;

        http_request("GET", path, NULL, &answer);
        page = http_parse(&answer);
        json_array_extend(sessions, page);
        json_decref(page);
        free(answer.text);
        free(path);
    } while (answer.cursor[0]);
    free(filter);
    return sessions;
}
