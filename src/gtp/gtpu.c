/* SPDX-License-Identifier: GPL-3.0-or-later */

/* GTP-U parser.
 *
 * Place in the flow: nfq.c hands each packet that it takes from a queue to
 * gtpu_parse_packet(), which goes down through outer IP, UDP, GTP-U and inner
 * IP; detect.c decides on the result.  Error Indications go on to
 * gtpu_parse_error_indication().  The eBPF program and the patched OVS parse
 * the same headers by themselves; the tables of tests/unit/test_gtpu.c say
 * what all of them agree on.
 *
 * Every byte is read through 'struct cursor': a read beyond the end gives
 * zeros and makes the cursor bad for good, so that a run of reads needs one
 * check, at its end. */

#include "gtp/gtpu.h"

#include <string.h>

/* First byte of the GTP-U header, TS 29.281 clause 5.1.  The spare bit (0x08)
 * is not evaluated. */
enum {
    FLAG_PN = 0x01,
    FLAG_S = 0x02,
    FLAG_E = 0x04,
    FLAG_PT = 0x10,
    VERSION_MASK = 0xe0,
    VERSION_1 = 0x20,
};

enum {
    EXT_NONE = 0,
    EXT_PDU_SESSION = 0x85,
};

/* Information elements, TS 29.281 clause 8.1. */
enum {
    IE_RECOVERY = 14,
    IE_TEID_DATA_I = 16,
    IE_PEER_ADDRESS = 133,
    IE_EXT_TYPE_LIST = 141,
    IE_FIRST_TLV = 128,
};

#define IP4_MIN_LEN 20
#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_OFFSET_MASK 0x1fff
#define IP6_LEN 40
#define IP6_OFFSET_MASK 0xfff8
#define UDP_LEN 8
#define GTPU_MANDATORY_LEN 8

struct cursor {
    const uint8_t *p;
    size_t left;
    bool bad;
    bool cut;                   /* There was more behind the end. */
};

static struct cursor
cursor_init(const void *p, size_t len)
{
    return (struct cursor) { .p = p, .left = len };
}

/* The same of what has been cut off after 'len' bytes. */
static struct cursor
cursor_init_head(const void *p, size_t len)
{
    return (struct cursor) { .p = p, .left = len, .cut = true };
}

/* Returns the next 'n' bytes, or NULL if they are not all there. */
static const uint8_t *
cursor_take(struct cursor *c, size_t n)
{
    const uint8_t *p = c->p;

    if (c->bad || n > c->left) {
        c->bad = true;
        c->left = 0;
        return NULL;
    }
    c->p += n;
    c->left -= n;
    return p;
}

static uint8_t
cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 1);

    return p ? p[0] : 0;
}

static uint16_t
cursor_u16(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 2);

    return p ? (uint16_t) (p[0] << 8 | p[1]) : 0;
}

static uint32_t
cursor_u32(struct cursor *c)
{
    uint32_t high = cursor_u16(c);

    return high << 16 | cursor_u16(c);
}

static struct in6_addr
cursor_ip4(struct cursor *c)
{
    struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    const uint8_t *p = cursor_take(c, 4);

    if (p) {
        memcpy(&addr.s6_addr[12], p, 4);
    }
    return addr;
}

static struct in6_addr
cursor_ip6(struct cursor *c)
{
    struct in6_addr addr = { .s6_addr = { 0 } };
    const uint8_t *p = cursor_take(c, sizeof addr);

    if (p) {
        memcpy(&addr, p, sizeof addr);
    }
    return addr;
}

/* Lets the cursor end 'n' bytes from here; bad if there are fewer, and none
 * have been cut off. */
static void
cursor_limit(struct cursor *c, size_t n)
{
    if (n <= c->left) {
        c->left = n;
        c->cut = false;
    } else if (!c->cut) {
        c->bad = true;
        c->left = 0;
    }
}

/* What outer and inner IP headers have in common. */
struct ip {
    uint8_t version;
    uint8_t tos;
    uint8_t ttl;
    uint8_t proto;              /* Of the last header known. */
    bool proto_reached;         /* The cursor is at that header. */
    bool fragment;              /* Any fragment, even the first. */
    bool later_fragment;        /* Offset is not 0. */
    struct in6_addr src, dst;
    size_t length;              /* As it declares. */
};

/* Why ip_parse() failed. */
enum ip_error {
    IP_OK,
    IP_E_HEADER,                /* Version, header length, or an IPv6 address
                                 * that is an IPv4-mapped one. */
    IP_E_SHORT,                 /* Ends within the header, or before the
                                 * length it declares. */
};

static enum ip_error
ip4_parse(struct cursor *c, struct ip *ip)
{
    uint8_t ihl = (cursor_u8(c) & 0x0f) * 4;
    ip->tos = cursor_u8(c);
    ip->length = cursor_u16(c);
    cursor_take(c, 2);
    uint16_t frag = cursor_u16(c);
    ip->ttl = cursor_u8(c);
    ip->proto = cursor_u8(c);
    cursor_take(c, 2);
    ip->src = cursor_ip4(c);
    ip->dst = cursor_ip4(c);
    if (c->bad) {
        return IP_E_SHORT;
    }
    if (ihl < IP4_MIN_LEN || ip->length < ihl) {
        return IP_E_HEADER;
    }
    cursor_take(c, ihl - IP4_MIN_LEN);
    cursor_limit(c, ip->length - ihl);
    if (c->bad) {
        return IP_E_SHORT;
    }

    ip->fragment = frag & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK);
    ip->later_fragment = frag & IP4_OFFSET_MASK;
    ip->proto_reached = !ip->later_fragment;
    return IP_OK;
}

/* Steps over the extension headers of RFC 8200, and AH, up to the first
 * header of another kind, the data of a later fragment, or a header that is
 * not all there. */
static void
ip6_skip_extensions(struct cursor *c, struct ip *ip)
{
    for (;;) {
        struct cursor next = *c;
        uint8_t proto = cursor_u8(&next);
        uint8_t len = cursor_u8(&next);

        switch (ip->proto) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            cursor_take(&next, len * 8 + 6);
            break;

        case IPPROTO_AH:
            cursor_take(&next, len * 4 + 6);
            break;

        case IPPROTO_FRAGMENT:
            ip->fragment = true;
            ip->later_fragment = cursor_u16(&next) & IP6_OFFSET_MASK;
            cursor_take(&next, 4);
            break;

        default:
            ip->proto_reached = true;
            return;
        }
        if (next.bad) {
            return;
        }
        *c = next;
        ip->proto = proto;
        if (ip->later_fragment) {
            return;
        }
    }
}

static enum ip_error
ip6_parse(struct cursor *c, struct ip *ip)
{
    uint32_t first = cursor_u32(c);
    uint16_t payload_len = cursor_u16(c);
    ip->tos = first >> 20;
    ip->proto = cursor_u8(c);
    ip->ttl = cursor_u8(c);
    ip->src = cursor_ip6(c);
    ip->dst = cursor_ip6(c);
    ip->length = IP6_LEN + payload_len;
    cursor_limit(c, payload_len);
    if (c->bad) {
        return IP_E_SHORT;
    }
    if (IN6_IS_ADDR_V4MAPPED(&ip->src) || IN6_IS_ADDR_V4MAPPED(&ip->dst)) {
        return IP_E_HEADER;
    }
    ip6_skip_extensions(c, ip);
    return IP_OK;
}

/* Parses the IP header, of either version, at 'c', which then stands at the
 * last header known and ends where the IP length says. */
static enum ip_error
ip_parse(struct cursor *c, struct ip *ip)
{
    memset(ip, 0, sizeof *ip);
    ip->version = c->left ? *c->p >> 4 : 0;
    return (ip->version == 4 ? ip4_parse(c, ip)
            : ip->version == 6 ? ip6_parse(c, ip)
            : IP_E_HEADER);
}

/* TS 38.415 clause 5.5.2: PDU type in the upper half of the first byte, QFI in
 * the lower 6 bits of the second, alike in both types.  A second container in
 * the same message is ignored. */
static void
parse_pdu_session(struct cursor c, struct gtpu_pdu_session *pdu)
{
    if (!pdu->present) {
        pdu->present = true;
        pdu->type = cursor_u8(&c) >> 4;
        pdu->qfi = cursor_u8(&c) & 0x3f;
    }
}

/* Steps over the extension headers, the first of which is of 'type': each is
 * a length in units of 4 bytes, content, and the type of the next one. */
static enum gtpu_error
parse_extensions(struct cursor *c, uint8_t type, struct gtpu_msg *msg)
{
    for (int n = 0; type != EXT_NONE; n++) {
        if (n >= GTPU_MAX_EXTENSIONS) {
            return GTPU_E_EXT_COUNT;
        }
        size_t len = cursor_u8(c) * 4;
        if (!len) {
            return GTPU_E_EXT_LENGTH;
        }
        const uint8_t *content = cursor_take(c, len - 2);
        if (!content) {
            return GTPU_E_EXT_LENGTH;
        }
        if (type == EXT_PDU_SESSION) {
            parse_pdu_session(cursor_init(content, len - 2), &msg->pdu);
        }
        type = cursor_u8(c);
        if (c->bad) {
            return GTPU_E_EXT_LENGTH;
        }
    }
    return GTPU_OK;
}

/* Parses the message at 'c', which then spans its payload. */
static enum gtpu_error
parse_msg(struct cursor *c, struct gtpu_msg *msg)
{
    memset(msg, 0, sizeof *msg);
    msg->flags = cursor_u8(c);
    if (!c->bad
        && (msg->flags & (VERSION_MASK | FLAG_PT)) != (VERSION_1 | FLAG_PT)) {
        return GTPU_E_VERSION;
    }
    msg->type = cursor_u8(c);
    uint16_t gtp_len = cursor_u16(c);
    msg->teid = cursor_u32(c);
    if (c->bad) {
        return GTPU_E_TRUNCATED;
    }
    cursor_limit(c, gtp_len);
    if (c->bad) {
        return GTPU_E_LENGTH;
    }

    if (msg->flags & (FLAG_E | FLAG_S | FLAG_PN)) {
        uint16_t seq = cursor_u16(c);
        cursor_u8(c);
        uint8_t next_type = cursor_u8(c);
        if (c->bad) {
            return GTPU_E_TRUNCATED;
        }
        msg->has_seq = msg->flags & FLAG_S;
        msg->seq = msg->has_seq ? seq : 0;
        if (msg->flags & FLAG_E) {
            enum gtpu_error error = parse_extensions(c, next_type, msg);
            if (error) {
                return error;
            }
        }
    }
    msg->payload = c->p;
    msg->payload_len = c->left;
    return GTPU_OK;
}

enum gtpu_error
gtpu_parse(const void *p, size_t len, struct gtpu_msg *msg)
{
    struct cursor c = cursor_init(p, len);

    return parse_msg(&c, msg);
}

/* Parses outer IP and UDP; 'c' then spans the UDP payload. */
static enum gtpu_error
parse_outer(struct cursor *c, struct gtpu_packet *pkt)
{
    struct ip ip;

    switch (ip_parse(c, &ip)) {
    case IP_OK:
        break;
    case IP_E_SHORT:
        return GTPU_E_TRUNCATED;
    case IP_E_HEADER:
    default:
        return GTPU_E_NOT_IP;
    }
    pkt->src = ip.src;
    pkt->dst = ip.dst;
    pkt->tos = ip.tos;
    pkt->ttl = ip.ttl;
    if (ip.fragment) {
        return GTPU_E_FRAGMENT;
    }
    if (!ip.proto_reached) {
        return GTPU_E_TRUNCATED;
    }
    if (ip.proto != IPPROTO_UDP) {
        return GTPU_E_NOT_UDP;
    }

    pkt->sport = cursor_u16(c);
    pkt->dport = cursor_u16(c);
    uint16_t udp_len = cursor_u16(c);
    cursor_take(c, 2);
    if (c->bad) {
        return GTPU_E_TRUNCATED;
    }
    if (pkt->sport != GTPU_PORT && pkt->dport != GTPU_PORT) {
        return GTPU_E_NOT_UDP;
    }
    if (udp_len < UDP_LEN) {
        return GTPU_E_TRUNCATED;
    }
    cursor_limit(c, udp_len - UDP_LEN);
    return c->bad ? GTPU_E_TRUNCATED : GTPU_OK;
}

static enum gtpu_error
parse_inner(struct cursor c, struct gtpu_inner *inner)
{
    struct ip ip;

    memset(inner, 0, sizeof *inner);
    if (ip_parse(&c, &ip)) {
        return GTPU_E_INNER;
    }
    inner->version = ip.version;
    inner->proto = ip.proto;
    inner->later_fragment = ip.later_fragment;
    inner->src = ip.src;
    inner->dst = ip.dst;
    inner->length = ip.length;
    if (ip.proto_reached) {
        inner->l4 = c.p;
        inner->l4_len = c.left;
    }
    return GTPU_OK;
}

static enum gtpu_error
parse_packet(struct cursor c, struct gtpu_packet *pkt)
{
    memset(pkt, 0, sizeof *pkt);
    enum gtpu_error error = parse_outer(&c, pkt);
    if (!error) {
        error = parse_msg(&c, &pkt->msg);
    }
    if (!error && pkt->msg.type == GTPU_GPDU) {
        error = parse_inner(c, &pkt->inner);
    }
    return error;
}

enum gtpu_error
gtpu_parse_packet(const void *p, size_t len, struct gtpu_packet *pkt)
{
    return parse_packet(cursor_init(p, len), pkt);
}

enum gtpu_error
gtpu_parse_packet_head(const void *p, size_t len, struct gtpu_packet *pkt)
{
    return parse_packet(cursor_init_head(p, len), pkt);
}

enum gtpu_error
gtpu_parse_inner(const void *p, size_t len, struct gtpu_inner *inner)
{
    return parse_inner(cursor_init(p, len), inner);
}

enum gtpu_error
gtpu_parse_inner_head(const void *p, size_t len, struct gtpu_inner *inner)
{
    return parse_inner(cursor_init_head(p, len), inner);
}

/* Steps over the value of an information element of 'type' that is of no
 * interest.  Elements below 128 are of fixed length; the cursor becomes bad on
 * one whose length is not known. */
static void
skip_ie(struct cursor *c, uint8_t type)
{
    if (type == IE_RECOVERY) {
        cursor_take(c, 1);
    } else if (type == IE_EXT_TYPE_LIST) {
        cursor_take(c, cursor_u8(c));
    } else if (type >= IE_FIRST_TLV) {
        cursor_take(c, cursor_u16(c));
    } else {
        c->bad = true;
    }
}

enum gtpu_error
gtpu_parse_error_indication(const struct gtpu_msg *msg, uint32_t *teid,
                            struct in6_addr *peer)
{
    struct cursor c = cursor_init(msg->payload, msg->payload_len);
    bool have_teid = false;
    bool have_peer = false;

    while (!have_teid || !have_peer) {
        uint8_t type = cursor_u8(&c);
        if (type == IE_TEID_DATA_I) {
            *teid = cursor_u32(&c);
            have_teid = true;
        } else if (type == IE_PEER_ADDRESS) {
            uint16_t len = cursor_u16(&c);
            if (len == 4) {
                *peer = cursor_ip4(&c);
            } else if (len == 16) {
                *peer = cursor_ip6(&c);
            } else {
                return GTPU_E_LENGTH;
            }
            have_peer = true;
        } else {
            skip_ie(&c, type);
        }
        if (c.bad) {
            return GTPU_E_TRUNCATED;
        }
    }
    return GTPU_OK;
}

static const struct {
    const char *reason;
    const char *sentence;
} errors[GTPU_N_ERRORS] = {
    [GTPU_OK] = { "ok", "well-formed" },
    [GTPU_E_NOT_IP] = { "not_ip", "outer header is not valid IP" },
    [GTPU_E_FRAGMENT] = { "fragment", "outer packet is a fragment" },
    [GTPU_E_NOT_UDP] = { "not_udp", "not UDP to or from port 2152" },
    [GTPU_E_TRUNCATED] = { "truncated", "packet ends within a header" },
    [GTPU_E_VERSION] = { "version", "not GTP version 1 with PT set" },
    [GTPU_E_LENGTH] = { "length", "length field does not fit the packet" },
    [GTPU_E_EXT_LENGTH] = { "ext_length",
                            "extension header of length 0 or beyond the end" },
    [GTPU_E_EXT_COUNT] = { "ext_count", "too many extension headers" },
    [GTPU_E_INNER] = { "inner", "inner packet is not valid IP" },
};

const char *
gtpu_strerror(enum gtpu_error error)
{
    return error < GTPU_N_ERRORS ? errors[error].sentence : "unknown error";
}

const char *
gtpu_reason(enum gtpu_error error)
{
    return error < GTPU_N_ERRORS ? errors[error].reason : "unknown";
}
