/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PINGER_H
#define TOF_PINGER_H 1

/* Pinger: sends Echo Requests of ICMP (RFC 792) or ICMPv6 (RFC 4443) as a UE
 * up the UE's own uplink tunnel, so that the reply shows which downlink tunnel
 * answers it.
 *
 * Place in the flow: agent.c asks for a bearer to be proved; the endpoint
 * sends what is built here; detect.c brings back what the filter holds as a
 * possible reply.  Identifier, sequence and payload of a request are a cookie
 * for that one uplink tunnel: a reply to the UE that carries it proves the
 * pairing, whoever sends it (an SGW need not send from the address that it
 * receives at). */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct conf;

/* Sends an IP packet for bearer 'id'; returns 0 or a positive errno value;
 * EAGAIN if it can be sent in some milliseconds.  The source address is
 * unspecified: whoever writes the UE's address there mends the checksums, of
 * the IPv4 header or of ICMPv6, too. */
typedef int pinger_send_cb(uint32_t id, const void *ip, size_t len);
/* The attempts are used up without a reply. */
typedef void pinger_failed_cb(uint32_t id);

void pinger_init(const struct conf *, pinger_send_cb *, pinger_failed_cb *);
void pinger_destroy(void);
void pinger_run(void);
void pinger_wait(void);

/* Asks for bearer 'id', of the UE with the key 'ue' (see addr_ue_key()), to be
 * proved.
 * 'urgent': packets are waiting for it, the first request goes out at once.
 * Asking again while it is under way only raises the urgency. */
void pinger_ask(uint32_t id, const struct in6_addr *ue, bool urgent);
/* No reply has come in time, and nothing waits for one any more: asks on, by
 * one request after a second, and then each time after a pause twice as long,
 * up to a minute, until a reply serves (pinger_stop(), pinger_confirm()) or it
 * is urgent again.  Asking this again changes nothing. */
void pinger_ask_on(uint32_t id, const struct in6_addr *ue);
/* A reply has served, or what was asked before does not count any more: later
 * replies to it prove nothing.  Nothing happens if nothing was asked. */
void pinger_stop(uint32_t id);

/* A reply has served, but others may say something else: what has been asked
 * for goes on until its attempts are used up. */
void pinger_confirm(uint32_t id);

/* True if a request has been sent for bearer 'id' in the last seconds. */
bool pinger_is_active(uint32_t id);

/* What has been asked for a bearer.  Returns false if that is nothing, or too
 * long ago. */
struct pinger_state {
    unsigned int attempts;      /* Requests sent, since it was last begun. */
    long long int sent;         /* The last one of them, ms; else 0. */
};
bool pinger_describe(uint32_t id, struct pinger_state *);

/* When the last reply to a request of ours came, ms; 0 if none has. */
long long int pinger_last_reply(void);

/* True if the IP packet is the reply to a request of ours, or of a tofd that
 * ran before this one, to be consumed; with the bearer that it proves in
 * '*id', or 0 if it proves nothing (any more). */
bool pinger_is_reply(const void *ip, size_t len, uint32_t *id);

/* True if there is anything to ping for UEs of that family. */
bool pinger_has_target(sa_family_t);

/* Of an echo request: the ICMP message, and at most the whole packet. */
#define PINGER_ICMP_LEN 40      /* Header 8, cookie 32. */
#define PINGER_PACKET_MAX (40 + PINGER_ICMP_LEN)

#endif /* learn/pinger.h */
