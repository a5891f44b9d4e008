/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TOF_NFT_H
#define TOF_NFT_H 1

/* nftables transactions over libnftnl: a batch is built call by call and
 * committed whole or not at all.
 *
 * Place in the flow: filter/filter.c and nat/nat.c say what tables, chains,
 * sets and rules they want; nothing else talks to nftables.  The kernel
 * answers a batch within the send call, so that a commit never waits. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>         /* Before <linux/netfilter.h>. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

struct nftnl_rule;

/* One netlink socket in one network namespace.  What has been made with
 * NFT_TABLE_F_OWNER lives as long as the socket. */
struct nft;
int nft_open(int netns_fd, struct nft **);      /* -1: the caller's own. */
void nft_close(struct nft *);

/* A transaction.  Building never fails; what went wrong (memory, a name too
 * long) is returned by nft_commit().  A batch may grow to any size. */
struct nft_batch;
struct nft_batch *nft_begin(struct nft *);
/* Sends it and frees it.  Returns 0, or the positive errno value of the first
 * thing refused, with '*what' (may be NULL) set to a malloc'd text that names
 * it ("rule 3 of chain gtp").  On error nothing of it is in force. */
int nft_commit(struct nft_batch *, char **what);
void nft_abort(struct nft_batch *);

/* A table: what chains, sets and rules are put into. */
struct nft_table {
    int family;                 /* NFPROTO_NETDEV, NFPROTO_INET, ... */
    const char *name;
};

/* Makes it; it is no error if it is there.  'flags': NFT_TABLE_F_OWNER.
 * Deleting one that is not there is an error (ENOENT), unless the same batch
 * has added it before. */
void nft_table_add(struct nft_batch *, const struct nft_table *,
                   uint32_t flags);
void nft_table_delete(struct nft_batch *, const struct nft_table *);
/* Whether it is there: 0, ENOENT or another error. */
int nft_table_exists(struct nft *, const struct nft_table *);
/* How many chains, rules and jumps to chains it has, as one sum: whoever
 * flushes or deletes any of them makes it smaller.  Cheap: no rule is read.
 * 0, or an error (EAGAIN: others change it all the time). */
int nft_table_weigh(struct nft *, const struct nft_table *, uint64_t *weight);

/* True if a chain that forwarded packets meet, of anybody's, drops all of
 * them: its policy is that, and it has no rule. */
bool nft_forwards_nothing(struct nft *);

/* A chain.  'type' NULL: a regular chain, jumped to.  The policy is accept. */
struct nft_chain {
    const char *name;
    const char *type;           /* "filter", "nat", "route". */
    uint32_t hook;
    int32_t prio;
    const char *dev;            /* netdev family. */
};
void nft_chain_add(struct nft_batch *, const struct nft_table *,
                   const struct nft_chain *);
void nft_chain_flush(struct nft_batch *, const struct nft_table *,
                     const char *chain);
void nft_chain_delete(struct nft_batch *, const struct nft_table *,
                      const char *chain);

/* A set, or a map if 'data_len' or 'verdict_map'.  Lengths in bytes; the
 * parts of a concatenated key are padded to 4 bytes each, and 'key_len' is the
 * sum of the padded ones.  'dynamic': rules may add to it. */
struct nft_set {
    const char *name;
    uint32_t key_len;
    uint32_t key_type;          /* nft's own type number, so that `nft list`
                                 * prints it well; 0 if none fits. */
    uint32_t data_len;
    uint32_t data_type;
    bool verdict_map;
    bool timeouts;              /* Elements may have one. */
    bool dynamic;
    bool constant;
    bool interval;              /* Filled by nft_range_add(). */
    uint64_t timeout_ms;        /* Default for elements; 0: none. */
    uint32_t size;              /* 0: unlimited. */
};
void nft_set_add(struct nft_batch *, const struct nft_table *,
                 const struct nft_set *);
void nft_set_flush(struct nft_batch *, const struct nft_table *,
                   const char *set);

/* Elements.  'timeout_ms' 0: the set's default.  Adding one that is there is
 * no error, but whether that refreshes its timeout depends on the kernel
 * (since 6.12 it does, if 'timeout_ms' is given): delete it first in the same
 * batch to be sure.  Elements for the same set in sequence share a message. */
void nft_elem_add(struct nft_batch *, const struct nft_table *,
                  const struct nft_set *, const void *key, const void *data,
                  uint64_t timeout_ms);
/* All keys from 'key' on, up to 'end' (or the last one if that is NULL), which
 * is not one of them.  Ranges must not overlap. */
void nft_range_add(struct nft_batch *, const struct nft_table *,
                   const struct nft_set *, const void *key, const void *end);
/* Element of a verdict map. */
void nft_elem_add_goto(struct nft_batch *, const struct nft_table *,
                       const struct nft_set *, const void *key,
                       const char *chain);
/* Deleting one that is not there fails the whole batch with ENOENT: use
 * nft_elem_forget() (its own transaction, ENOENT ignored) where it may have
 * timed out.  */
void nft_elem_delete(struct nft_batch *, const struct nft_table *,
                     const struct nft_set *, const void *key);
int nft_elem_forget(struct nft *, const struct nft_table *,
                    const struct nft_set *, const void *key);
/* Looks one up: fills in 'data' (data_len bytes, may be NULL) and
 * '*expires_ms' (may be NULL).  0, ENOENT or another error. */
int nft_elem_get(struct nft *, const struct nft_table *,
                 const struct nft_set *, const void *key, void *data,
                 uint64_t *expires_ms);
/* All of them. */
int nft_elem_dump(struct nft *, const struct nft_table *,
                  const struct nft_set *,
                  void (*cb)(const void *key, const void *data,
                             uint64_t expires_ms, void *aux), void *aux);

/* All elements of a set whose elements have counters, part by part: begins,
 * then hands out one part a call.  While there is more nft_count_next()
 * returns EINPROGRESS; 0 with the last part; EAGAIN if a change has torn it
 * (every count that was told is true, but some may be missing).  The socket
 * may not be used for anything else meanwhile. */
struct nft_counting {
    const struct nft_set *set;
    uint32_t seq;               /* Of the request. */
    bool torn;
    void (*cb)(const void *key, uint64_t packets, uint64_t bytes, void *aux);
    void *aux;
};
int nft_count_begin(struct nft *, const struct nft_table *,
                    struct nft_counting *);
int nft_count_next(struct nft *, struct nft_counting *);
/* What one element has counted, zero if there is none.  0, ENOENT or another
 * error. */
int nft_count_get(struct nft *, const struct nft_table *,
                  const struct nft_set *, const void *key,
                  uint64_t *packets, uint64_t *bytes);

/* Rules.  nft_rule() starts one; the nft_x_* calls append expressions, in
 * the order in which they are evaluated; nft_rule_add() puts it at the end of
 * its chain and frees it.  'reg' is one of NFT_REG32_00 ... NFT_REG32_15; a
 * concatenated key is built in consecutive ones. */
struct nftnl_rule *nft_rule(const struct nft_table *, const char *chain);
void nft_rule_add(struct nft_batch *, struct nftnl_rule *);

void nft_x_payload(struct nftnl_rule *, enum nft_payload_bases base,
                   uint32_t offset, uint32_t len, uint32_t reg);
/* Writes the register into the packet; no checksum is mended. */
void nft_x_payload_set(struct nftnl_rule *, enum nft_payload_bases base,
                       uint32_t offset, uint32_t len, uint32_t reg);
/* The same in an IPv4 header, whose checksum is mended. */
void nft_x_ip4_set(struct nftnl_rule *, uint32_t offset, uint32_t len,
                   uint32_t reg);
void nft_x_meta(struct nftnl_rule *, enum nft_meta_keys, uint32_t reg);
void nft_x_meta_set(struct nftnl_rule *, enum nft_meta_keys, uint32_t reg);
void nft_x_imm(struct nftnl_rule *, uint32_t reg, const void *, uint32_t len);
/* reg = (reg & mask) ^ xor, over 'len' bytes. */
void nft_x_bitwise(struct nftnl_rule *, uint32_t reg, const void *mask,
                   const void *xor, uint32_t len);
void nft_x_cmp(struct nftnl_rule *, uint32_t reg, enum nft_cmp_ops,
               const void *, uint32_t len);
void nft_x_lookup(struct nftnl_rule *, const char *set, uint32_t reg,
                  bool invert);
/* As above in a map: the value goes to 'dreg'. */
void nft_x_lookup_map(struct nftnl_rule *, const char *set, uint32_t reg,
                      uint32_t dreg);
void nft_x_vmap(struct nftnl_rule *, const char *set, uint32_t reg);
/* add / update / delete @set { key [: data] [timeout] }; 'data_reg' 0: no
 * data. */
void nft_x_dynset(struct nftnl_rule *, const char *set,
                  enum nft_dynset_ops, uint32_t key_reg, uint32_t data_reg,
                  uint64_t timeout_ms);
/* update @set { key counter }: counts packet and bytes at the key's element,
 * which it makes if there is none.  A full set does not count; the rule ends
 * there. */
void nft_x_count_in(struct nftnl_rule *, const char *set, uint32_t key_reg);
/* update @set { key [timeout] limit rate over ... }, { key ct count over MAX }:
 * the rule goes on if the key has had more packets than that, or its packets
 * have made more connections, of those that there still are.  It ends if not,
 * or if the set is full.  The second one is for packets that make a connection
 * (each looks at all of its key's), and its set may have no timeouts: the
 * kernel takes out what has no connection. */
void nft_x_rate_over_in(struct nftnl_rule *, const char *set,
                        uint32_t key_reg, uint64_t per_second, uint32_t burst,
                        uint64_t timeout_ms);
void nft_x_connections_over_in(struct nftnl_rule *, const char *set,
                               uint32_t key_reg, uint32_t max);
void nft_x_counter(struct nftnl_rule *);
void nft_x_limit(struct nftnl_rule *, uint64_t per_second, uint32_t burst);
/* These use up NFT_REG32_15. */
void nft_x_fwd(struct nftnl_rule *, int ifindex);       /* netdev */
void nft_x_dup(struct nftnl_rule *, int ifindex);       /* netdev */
void nft_x_dup_back(struct nftnl_rule *);               /* Whence it came. */
void nft_x_verdict(struct nftnl_rule *, int verdict, const char *chain);
/* To an NFQUEUE, past it if nobody reads that.  Two ways, of which a kernel
 * may have either one: nftables' own expression, and the target of iptables,
 * revision 3 (where it is a module, nobody loads that for an inet table).
 * Without it the batch fails with ENOENT. */
void nft_x_queue(struct nftnl_rule *, uint16_t queue);
void nft_x_nfqueue(struct nftnl_rule *, uint16_t queue);
void nft_x_ct(struct nftnl_rule *, enum nft_ct_keys, uint32_t reg);
/* The same of what flows have for each direction (IP_CT_DIR_*): addresses. */
void nft_x_ct_of(struct nftnl_rule *, enum nft_ct_keys, int dir, uint32_t reg);
void nft_x_ct_set(struct nftnl_rule *, enum nft_ct_keys, uint32_t reg,
                  int dir);     /* dir: IP_CT_DIR_*, or -1. */
/* DNAT / SNAT to the address in 'reg'. */
void nft_x_nat(struct nftnl_rule *, enum nft_nat_types, int family,
               uint32_t reg);
void nft_x_rt_tcpmss(struct nftnl_rule *, uint32_t reg);
/* dreg = the lookup3 hash of 'len' bytes from register 'reg' on, from 'seed',
 * scaled to 0 ... 'modulus' - 1: a number in host byte order. */
void nft_x_jhash(struct nftnl_rule *, uint32_t reg, uint32_t len,
                 uint32_t seed, uint32_t modulus, uint32_t dreg);
/* Between network and host order, whichever way: it is the same swap. */
void nft_x_hton16(struct nftnl_rule *, uint32_t reg);
void nft_x_hton32(struct nftnl_rule *, uint32_t reg);
void nft_x_tcpopt_write(struct nftnl_rule *, uint8_t opt, uint32_t offset,
                        uint32_t len, uint32_t reg);
/* reg = 1 (one byte) if the packet has that IPv6 extension header, else 0. */
void nft_x_exthdr_exists(struct nftnl_rule *, uint8_t header, uint32_t reg);
/* 'len' bytes at 'offset' in that header; no match if there is none. */
void nft_x_exthdr(struct nftnl_rule *, uint8_t header, uint32_t offset,
                  uint32_t len, uint32_t reg);
/* Tells whoever listens to that group of NFLOG (nflog.h) of the packet; 'prefix'
 * is told with it.  Without NFLOG in the kernel the batch fails with
 * ENOENT. */
void nft_x_log(struct nftnl_rule *, uint16_t group, const char *prefix);
void nft_x_notrack(struct nftnl_rule *);
/* Drops, and tells the sender by ICMP or ICMPv6 that it is not allowed to. */
void nft_x_prohibit(struct nftnl_rule *);       /* inet */
/* Drops a TCP segment, and resets its sender's end of the connection. */
void nft_x_reset(struct nftnl_rule *);          /* inet */

/* Values of the counters of a chain's rules that have a comment
 * (nft_rule_comment()): for metrics. */
void nft_rule_comment(struct nftnl_rule *, const char *);
int nft_counters(struct nft *, const struct nft_table *,
                 void (*cb)(const char *chain, const char *comment,
                            uint64_t packets, uint64_t bytes, void *aux),
                 void *aux);

#endif /* kernel/nft.h */
