/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_PCAPNG_H
#define TOF_CTL_PCAPNG_H 1

/* A file of packets in the format pcapng (draft-ietf-opsawg-pcapng), which
 * Wireshark and tshark read: one section with two interfaces, the tunnel's
 * side with Ethernet frames, and the UE's side with IP packets.
 *
 * Place in the flow: trace.c writes what comes out here to a file.  Pure: no
 * I/O, no allocation.  Numbers are in the host's byte order, as the format
 * has it. */

#include <stddef.h>
#include <stdint.h>

enum pcapng_interface { PCAPNG_GTPU, PCAPNG_UE };

/* What each block needs at most, beside a packet's bytes and comment. */
#define PCAPNG_HEADER_MAX 512
#define PCAPNG_PACKET_MAX 64

struct pcapng_packet {
    enum pcapng_interface interface;
    uint64_t time;              /* ns since 1970. */
    const void *data;
    uint32_t captured;          /* Bytes at 'data'. */
    uint32_t length;            /* What the packet had. */
    const char *comment;        /* UTF-8, up to 65535 bytes. */
};

/* Writes what stands before all packets to 'buf', which has room for
 * PCAPNG_HEADER_MAX bytes: the section's header and both interfaces.  'by' is
 * the program that writes, up to 64 bytes.  Returns how many bytes these are,
 * a multiple of 4. */
size_t pcapng_header(void *buf, const char *by);

/* Writes a packet to 'buf', which has room for PCAPNG_PACKET_MAX bytes, its
 * bytes and its comment.  Returns how many bytes these are, a multiple of
 * 4. */
size_t pcapng_packet(void *buf, const struct pcapng_packet *);

#endif /* ctl/pcapng.h */
