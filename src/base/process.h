/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_PROCESS_H
#define TOF_PROCESS_H 1

/* What the kernel says of this process, and which program it is: the metrics
 * that monitoring knows of any process. */

struct ds;

/* Appends tof_build_info and process_*, in the text format of Prometheus.  What
 * cannot be read is left out. */
void process_put_metrics(struct ds *);

#endif /* base/process.h */
