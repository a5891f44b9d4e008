/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The service that a command line spells: see services.h. */

#include <config.h>

#include "ctl/services.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

struct service_options service_options;

/* A number where 'text' is one; NULL: it is no UTF-8. */
static json_t *
spell_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (!json_is_number(value)) {
        json_decref(value);
        value = json_string(text);
    }
    return value;
}

/* "NAME=VALUE,..."; a name without a value is true.  NULL: it is no UTF-8. */
static json_t *
spell_members(const char *text)
{
    char *copy = format_text("%s", text), *save = NULL;
    json_t *members = json_object();

    for (char *word = strtok_r(copy, ",", &save); word && members;
         word = strtok_r(NULL, ",", &save)) {
        char *value = strchr(word, '=');

        if (value) {
            *value++ = '\0';
        }
        if (json_object_set_new(members, word, (value ? spell_value(value)
                                                : json_true()))) {
            json_decref(members);
            members = NULL;
        }
    }
    free(copy);
    return members;
}

/* "IP[=WEIGHT],...".  NULL: it is no UTF-8. */
static json_t *
spell_apps(const char *text)
{
    char *copy = format_text("%s", text), *save = NULL;
    json_t *apps = json_array();
    int error = 0;

    for (char *word = strtok_r(copy, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        char *weight = strchr(word, '=');
        json_t *app = json_object();

        if (weight) {
            *weight++ = '\0';
            error |= json_object_set_new(app, "weight", spell_value(weight));
        }
        error |= json_object_set_new(app, "ip", json_string(word));
        error |= json_array_append_new(apps, app);
    }
    free(copy);
    if (error) {
        json_decref(apps);
        apps = NULL;
    }
    return apps;
}

json_t *
service_spell(char *words[])
{
    json_t *service = json_pack("{ss ss}", "name", words[0], "serviceIP",
                                words[1]);
    json_t *chain = json_array();
    int error = !service;

    error |= (strpbrk(words[2], ",=")
              ? json_object_set_new(service, "applications",
                                    spell_apps(words[2]))
              : json_object_set_new(service, "applicationIP",
                                    json_string(words[2])));

    for (words += 3; *words; words++) {
        error |= json_array_append_new(chain, json_string(*words));
    }
    if (json_array_size(chain)) {
        error |= json_object_set(service, "chain", chain);
    }
    json_decref(chain);
    if (service_options.on_failure) {
        error |= json_object_set_new(service, "on_failure",
                                     json_string(service_options.on_failure));
    }
    if (service_options.health) {
        error |= json_object_set_new(service, "health",
                                     spell_members(service_options.health));
    }
    if (error) {
        json_decref(service);
        service = NULL;
    }
    return service;
}
