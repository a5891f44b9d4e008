/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_GTPU_H
#define TOF_GTPU_H 1

/* GTP-U parser (3GPP TS 29.281, extension header of TS 38.415).
 *
 * Place in the flow: the bytes that nfq.c takes from a queue go through
 * gtpu_parse_packet(); what comes out is all that detect.c ever sees of a
 * packet's headers.  Pure: no I/O, no allocation, nothing but libc, so that
 * the unit tests and the fuzzer link this file alone.
 *
 * Addresses are of both families in one form, IPv4 as IPv4-mapped IPv6
 * (::ffff:a.b.c.d).  An IPv6 packet with such an address, which never belongs
 * on the wire, is an error: it would pass for one of the IPv4 address's.
 * Integers are in host byte order. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GTPU_PORT 2152
#define GTPU_MAX_EXTENSIONS 8

/* Message types, TS 29.281 clause 6.1. */
enum {
    GTPU_ECHO_REQUEST = 1,
    GTPU_ECHO_RESPONSE = 2,
    GTPU_ERROR_INDICATION = 26,
    GTPU_SUPPORTED_EXT = 31,
    GTPU_END_MARKER = 254,
    GTPU_GPDU = 255,
};

/* Why a packet is not a well-formed GTP-U packet.  Each is a drop reason with
 * a counter of its own (gtpu_reason()). */
enum gtpu_error {
    GTPU_OK,
    GTPU_E_NOT_IP,          /* Outer header: version, IHL, length; or an
                             * IPv4-mapped address in IPv6. */
    GTPU_E_FRAGMENT,        /* Outer fragment: no header to look at. */
    GTPU_E_NOT_UDP,         /* Not UDP to or from port 2152. */
    GTPU_E_TRUNCATED,       /* Ends within a header. */
    GTPU_E_VERSION,         /* Not version 1 with PT set. */
    GTPU_E_LENGTH,          /* GTP length beyond UDP's. */
    GTPU_E_EXT_LENGTH,      /* Extension of length 0, or beyond the end. */
    GTPU_E_EXT_COUNT,       /* More than GTPU_MAX_EXTENSIONS. */
    GTPU_E_INNER,           /* G-PDU whose inner packet is not IP. */
    GTPU_N_ERRORS
};

#define GTPU_PDU_DOWNLINK 0

/* The PDU Session Container, TS 38.415 clause 5.5.2. */
struct gtpu_pdu_session {
    bool present;
    uint8_t type;           /* GTPU_PDU_DOWNLINK, or 1: uplink. */
    uint8_t qfi;
};

/* One GTP-U message: the UDP payload. */
struct gtpu_msg {
    uint8_t flags;          /* First byte as received. */
    uint8_t type;
    uint32_t teid;
    bool has_seq;
    uint16_t seq;           /* If 'has_seq'. */
    struct gtpu_pdu_session pdu;
    const uint8_t *payload; /* After all headers; points into the input. */
    size_t payload_len;     /* Ends where the GTP length says. */
};

/* The IP packet inside a G-PDU. */
struct gtpu_inner {
    uint8_t version;        /* 4 or 6. */
    uint8_t proto;          /* Of the last header known, extension headers of
                             * IPv6 skipped. */
    bool later_fragment;    /* No transport header here. */
    struct in6_addr src, dst;
    size_t length;          /* Of the packet, as its header says. */
    const uint8_t *l4;      /* Transport header, or NULL. */
    size_t l4_len;
};

struct gtpu_packet {
    struct in6_addr src, dst;   /* Outer. */
    uint8_t tos;
    uint8_t ttl;
    uint16_t sport, dport;
    struct gtpu_msg msg;
    struct gtpu_inner inner;    /* If msg.type == GTPU_GPDU. */
};

/* Parses the 'len' bytes of UDP payload at 'p' into '*msg'.  Does not look at
 * the inner packet. */
enum gtpu_error gtpu_parse(const void *p, size_t len, struct gtpu_msg *msg);

/* Parses the IP packet of 'len' bytes at 'p' (starting at its IP header) as
 * outer IP, UDP, GTP-U and, in a G-PDU, inner IP, into '*pkt'.  The pointers
 * in '*pkt' point into 'p'. */
enum gtpu_error gtpu_parse_packet(const void *p, size_t len,
                                  struct gtpu_packet *pkt);

/* Parses the IP packet of 'len' bytes at 'p' into '*inner'. */
enum gtpu_error gtpu_parse_inner(const void *p, size_t len,
                                 struct gtpu_inner *inner);

/* The same of the first 'len' bytes of a packet, of which the rest may have
 * been cut off.  The headers have to be there, up to the fixed part of the
 * UE's; lengths of payloads are of what is there. */
enum gtpu_error gtpu_parse_packet_head(const void *p, size_t len,
                                       struct gtpu_packet *pkt);
enum gtpu_error gtpu_parse_inner_head(const void *p, size_t len,
                                      struct gtpu_inner *inner);

/* The F-TEID that an Error Indication names (TS 29.281 clause 7.3.1: TEID
 * Data I, GTP-U Peer Address).  'msg' must be of that type.  Returns GTPU_OK
 * and fills in '*teid' and '*peer', or an error. */
enum gtpu_error gtpu_parse_error_indication(const struct gtpu_msg *msg,
                                            uint32_t *teid,
                                            struct in6_addr *peer);

/* A sentence for a person, and a short name for a counter's label
 * ("ext_length"). */
const char *gtpu_strerror(enum gtpu_error);
const char *gtpu_reason(enum gtpu_error);

#endif /* gtp/gtpu.h */
