/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_CTL_TOP_H
#define TOF_CTL_TOP_H 1

/* tofctl top: which sessions and services have most of the diverted
 * traffic. */

/* Shows it again and again; as JSON, once. */
void top_run(char *args[]);

#endif /* ctl/top.h */
