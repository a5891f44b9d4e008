/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer target: what a switch answers.  The connection is a stand-in;
 * messages get a header that is right, and mostly the transaction id of what
 * has been asked. */

#include <config.h>

#include "ovs/ofctl.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/rconn.h"
#include "util.h"

static const uint8_t *input;
static size_t n_input;
static ovs_be32 asked;          /* The last request's transaction id. */
static unsigned int connection;

bool __wrap_rconn_is_connected(const struct rconn *);
bool
__wrap_rconn_is_connected(const struct rconn *rconn OVS_UNUSED)
{
    return true;
}

unsigned int __wrap_rconn_get_connection_seqno(const struct rconn *);
unsigned int
__wrap_rconn_get_connection_seqno(const struct rconn *rconn OVS_UNUSED)
{
    return connection;
}

int __wrap_rconn_get_version(const struct rconn *);
int
__wrap_rconn_get_version(const struct rconn *rconn OVS_UNUSED)
{
    return OFP15_VERSION;
}

void __wrap_rconn_run(struct rconn *);
void
__wrap_rconn_run(struct rconn *rconn OVS_UNUSED)
{
}

int __wrap_rconn_send(struct rconn *, struct ofpbuf *,
                      struct rconn_packet_counter *);
int
__wrap_rconn_send(struct rconn *rconn OVS_UNUSED, struct ofpbuf *msg,
                  struct rconn_packet_counter *counter OVS_UNUSED)
{
    asked = ((const struct ofp_header *) msg->data)->xid;
    ofpbuf_delete(msg);
    return 0;
}

/* A byte says which type and transaction, two how long. */
struct ofpbuf *__wrap_rconn_recv(struct rconn *);
struct ofpbuf *
__wrap_rconn_recv(struct rconn *rconn OVS_UNUSED)
{
    enum { ERROR = 1, ECHO_REQUEST = 2, PACKET_IN = 10, FLOW_REMOVED = 11,
           MULTIPART_REPLY = 19, BARRIER_REPLY = 21, BUNDLE_CONTROL = 33 };
    static const uint8_t types[] = {
        FLOW_REMOVED, BARRIER_REPLY, MULTIPART_REPLY, PACKET_IN, ERROR,
        ECHO_REQUEST, MULTIPART_REPLY, BUNDLE_CONTROL,
    };
    struct ofp_header *oh;
    struct ofpbuf *msg;

    if (n_input < 3) {
        return NULL;
    }
    const uint8_t how = input[0];
    size_t n = MIN(n_input - 3, (input[1] << 8 | input[2]) & 0x3fff);
    msg = ofpbuf_new(sizeof *oh + n);
    oh = ofpbuf_put_zeros(msg, sizeof *oh);
    ofpbuf_put(msg, input + 3, n);
    input += 3 + n;
    n_input -= 3 + n;
    oh = msg->data;
    oh->version = how & 0x40 ? OFP14_VERSION : OFP15_VERSION;
    oh->type = how & 0x80 ? how : types[how & 7];
    oh->length = htons(msg->size);
    oh->xid = how & 8 ? htonl(how) : asked;
    return msg;
}

static void
packet_in(const struct ofctl_packet_in *pin, void *sum_)
{
    const uint8_t *frame = pin->frame;
    volatile uint8_t *sum = sum_;

    for (size_t i = 0; i < pin->len; i++) {
        *sum += frame[i];       /* All of it is there to be read. */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t sum = 0;
    const struct ofctl_callbacks cbs = { .packet_in = packet_in,
                                         .aux = &sum };
    struct ofctl *ofctl = ofctl_create("fuzz", "unix:/nonexistent",
                                       UINT64_C(1) << 20, &cbs);

    fuzz_be_quiet();
    connection++;
    input = data;
    n_input = size;
    ofctl_set(ofctl, 5, "table=0,priority=10,ip,actions=output:3");
    ofctl_start(ofctl);
    for (int i = 0; n_input >= 3 && i < 100; i++) {
        ofctl_run(ofctl);
        if (i == 3) {
            ofctl_poll_stats(ofctl, 0, 0, 0);
        }
    }
    ofctl_destroy(ofctl);
    return 0;
}
