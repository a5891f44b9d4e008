/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CAPTURE_H
#define TOF_CAPTURE_H 1

/* Reader of pcap and pcapng files, as far as the captures in tests/captures
 * need it: Ethernet (with VLAN tags) and Linux cooked link layers. */

#include <stddef.h>
#include <stdint.h>

/* Calls 'cb' with each IP packet of 'file', without its link layer.  Returns
 * the number of frames of any kind, or -1 if the file cannot be read. */
int capture_read(const char *file,
                 void (*cb)(const uint8_t *ip, size_t len, void *aux),
                 void *aux);

#endif /* capture.h */
