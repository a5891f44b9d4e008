/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a flow does: see ofctl_version.h.
 *
 * A flow that has been parsed is not always what the switch shows later: the
 * same action can be written, and kept, in several ways.  So each flow is
 * encoded and decoded once when it is parsed, always in the same version; what
 * comes out stays as it is through the switch and back. */

#include "ovs/ofctl_version.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

/* Between value and mask, and behind the mask, Open vSwitch leaves bytes as it
 * finds them. */
static void
clear_gaps(struct ofpact *ofpacts, size_t len)
{
    struct ofpact *a;

    OFPACT_FOR_EACH_FLATTENED (a, ofpacts, len) {
        if (a->type == OFPACT_SET_FIELD) {
            struct ofpact_set_field *sf = ofpact_get_SET_FIELD(a);
            const size_t n = sf->field->n_bytes;
            uint8_t *value = (uint8_t *) sf->value;
            uint8_t *mask = (uint8_t *) ofpact_set_field_mask(sf);

            memset(value + n, 0, mask - (value + n));
            memset(mask + n, 0, (uint8_t *) ofpact_next(a) - (mask + n));
        }
    }
}

struct flow_version *
version_create(ovs_be64 cookie, uint16_t idle_timeout, uint16_t hard_timeout,
               uint16_t importance, enum ofputil_flow_mod_flags flags,
               const struct ofpact *ofpacts, size_t ofpacts_len)
{
    struct flow_version *v = xmalloc(sizeof *v + ofpacts_len);

    v->n_refs = 1;
    v->cookie = cookie;
    v->idle_timeout = idle_timeout;
    v->hard_timeout = hard_timeout;
    v->importance = importance;
    v->flags = flags;
    v->ofpacts_len = ofpacts_len;
    nullable_memcpy(v->ofpacts, ofpacts, ofpacts_len);
    clear_gaps((struct ofpact *) v->ofpacts, ofpacts_len);
    return v;
}

struct flow_version *
version_ref(struct flow_version *v)
{
    if (v) {
        v->n_refs++;
    }
    return v;
}

void
version_unref(struct flow_version *v)
{
    if (v && !--v->n_refs) {
        free(v);
    }
}

const struct ofpact *
version_ofpacts(const struct flow_version *v)
{
    return ALIGNED_CAST(const struct ofpact *, v->ofpacts);
}

bool
version_equal(const struct flow_version *a, const struct flow_version *b)
{
    if (a == b || !a || !b) {
        return a == b;
    }
    return (a->cookie == b->cookie
            && a->idle_timeout == b->idle_timeout
            && a->hard_timeout == b->hard_timeout
            && (ofpacts_equal(version_ofpacts(a), a->ofpacts_len,
                              version_ofpacts(b), b->ofpacts_len)
                || ofpacts_equal_stringwise(version_ofpacts(a),
                                            a->ofpacts_len,
                                            version_ofpacts(b),
                                            b->ofpacts_len)));
}

char *
flow_parse(struct ofputil_flow_mod *fm, int command, const char *text)
{
    const enum ofputil_protocol protocol = OFPUTIL_P_OF15_OXM;
    enum ofputil_protocol usable;
    struct ofputil_flow_mod raw;
    char *error;

    error = parse_ofp_str(&raw, command, text, NULL, NULL, &usable);
    if (error) {
        return error;
    }
    if (!(usable & protocol)) {
        minimatch_destroy(&raw.match);
        free(raw.ofpacts);
        return xasprintf("cannot be expressed in %s",
                         ofputil_protocol_to_string(protocol));
    }

    struct ofpbuf *msg = ofputil_encode_flow_mod(&raw, protocol);
    minimatch_destroy(&raw.match);
    free(raw.ofpacts);

    struct ofpbuf ofpacts;
    enum ofperr err;
    ofpbuf_init(&ofpacts, 0);
    err = ofputil_decode_flow_mod(fm, msg->data, protocol, NULL, NULL,
                                  &ofpacts, OFPP_MAX, UINT8_MAX);
    ofpbuf_delete(msg);
    if (err) {
        ofpbuf_uninit(&ofpacts);
        return xstrdup(ofperr_to_string(err));
    }
    fm->ofpacts_len = ofpacts.size;
    fm->ofpacts = ofpbuf_steal_data(&ofpacts);
    return NULL;
}
