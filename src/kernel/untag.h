/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_UNTAG_H
#define TOF_UNTAG_H 1

/* VLAN tags off: untag.bpf.c does it, untag.c puts it in its place. */

#define LINK_TAG_PRESENT 0x10000        /* | TCI */

/* From now on each packet that comes in by 'link' of that namespace loses its
 * VLAN tag, and has it as its mark instead; or 0 if it had none.  Returns 0 or
 * a positive errno value. */
int link_untag(int netns_fd, const char *link);

#endif /* kernel/untag.h */
