/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_TRACE_H
#define TOF_CTL_TRACE_H 1

/* tofctl trace: the packets of one UE, as they come, in lines and in a file
 * for Wireshark.
 *
 * Place in the flow: a row of commands.c.  Starts a trace, fetches what it has
 * seen a few times a second, and ends it. */

/* Where packets are written to, too; NULL: nowhere. */
extern const char *trace_pcap_file;

/* 'args': UE [SECONDS]. */
void trace_ue(char *args[]);

#endif /* ctl/trace.h */
