/* nlb.h - what the load balancer's tc program and its daemon share: table layouts, limits, and the pure
 * functions that both compute. Addresses and ports are in network order unless a name says otherwise.
 *
 * The slot table. A flow is known by the source port that the balancer gives it, which is the index of the
 * set that holds it: a reply is found by its destination port, without a hash. A set has NLB_WAYS ways, so
 * one port serves several flows at once, each to another target. A client's own source port is tried
 * first (its home set); only when that is taken, ports from a hash of the client. All is allocated at
 * start; nothing is ever evicted. */
#ifndef AZLAB_BPF_NLB_H
#define AZLAB_BPF_NLB_H
#include <linux/types.h>

enum {
	NLB_WAYS = 4,
	NLB_PORTS = 65536,
	NLB_CANDIDATES = 32,     /* ports that a new flow may try: home, then 31 hashed ones */
	NLB_HASHED_FIRST = 1024, /* hashed ports are 1024..65535 */
	NLB_TABLE_SIZE = 16381,  /* entries of a service's lookup table; prime, as Maglev's must be */
	NLB_TARGETS_MAX = 1000,  /* of one service */
	NLB_SERVICES_MAX = 64,
	NLB_TICK_SHIFT = 20,  /* the program's unit of time: 2^20 ns of CLOCK_MONOTONIC, about 1.05 ms */
	NLB_TOUCH_TICKS = 64, /* a flow's last-seen time is this coarse, to keep its cache line shared */
};

/* An IPv4 address is held as ::ffff:a.b.c.d, so one code serves both families. */
struct nlb_addr {
	__u32 word[4];
};
#define NLB_V4_PREFIX 0xffffu /* in host order, of word[2] */

/* --- the slot table ---------------------------------------------------------------------------------- */

/* Of a way's state word; without NLB_USED the way is vacant. The upper half counts its uses. */
enum {
	NLB_USED = 1 << 0,
	NLB_REPLIED = 1 << 1, /* the target has answered */
	NLB_OPEN = 1 << 2,    /* ... and the client has gone on: no longer half-open */
	NLB_FIN_CLIENT = 1 << 3,
	NLB_FIN_TARGET = 1 << 4,
	NLB_RESET = 1 << 5,
	NLB_PASSIVE = 1 << 6, /* the target closed after the client: it never enters TIME_WAIT */
	NLB_ORPHAN = 1 << 7,  /* its client has moved on to another target; only holds the port now */
	NLB_GENERATION = 1 << 16,
};

/* Closed flows are translated as long as they hold their slot, but count as ended. */
static inline int nlb_closed(__u32 state)
{
	return (state & NLB_RESET) || (~state & (NLB_FIN_CLIENT | NLB_FIN_TARGET)) == 0;
}

struct nlb_flow {
	struct nlb_addr client, target;
	__u16 client_port, target_port;
	__u16 service;
	/* What translation towards the target adds to a one's complement sum over the addresses, and over
	 * the ports; towards the client it is the complement. */
	__u16 addr_delta, port_delta;
	__u16 family;  /* 4 or 6 */
	__u32 fin_end; /* host order: the sequence number that acknowledges the client's FIN */
};

/* The first cache line tells everything about the ways but who they are for: the sweep reads no other. */
struct nlb_set {
	__u32 lock; /* taken by compare-and-swap, never waited for: a busy set counts as full */
	__u32 pad;
	__u64 displaced; /* flows whose home is here but that live elsewhere: number << 32 | candidates in use
	                  */
	__u32 state[NLB_WAYS];
	__u32 seen[NLB_WAYS]; /* ticks */
	__u32 reserved[4];
	struct nlb_flow flow[NLB_WAYS];
} __attribute__((aligned(64)));
#define NLB_DISPLACED_ONE ((__u64)1 << 32)

/* --- services and targets ---------------------------------------------------------------------------- */

struct nlb_service_key {
	struct nlb_addr addr;
	__u16 port;
	__u16 zero;
};
struct nlb_service {
	struct nlb_addr zonal4, zonal6;
	__u16 port;
	__u16 zero[3]; /* an array map's elements lie at multiples of 8 bytes, also where they are mapped */
};
struct nlb_target {
	struct nlb_addr addr4, addr6; /* all zero: the target lacks this family */
	__u16 port;
	__u16 zero;
};
/* One half of a service's double buffer. */
struct nlb_table {
	__u32 n; /* 0: no target at all */
	struct nlb_target targets[NLB_TARGETS_MAX];
	__u16 entry[NLB_TABLE_SIZE];
};
/* Generation g is in half g & 1. The writer fills the other half, then steps the generation; a reader that
 * finds the generation changed after it has read begins anew. */
struct nlb_tables {
	__u32 generation;
	__u32 zero;
	struct nlb_table half[2];
};

_Static_assert(sizeof(struct nlb_set) == 256, "a set is four cache lines");
_Static_assert(sizeof(struct nlb_service) % 8 == 0 && sizeof(struct nlb_tables) % 8 == 0, "mapped elements");

enum nlb_counter {
	NLB_COUNT_NEW,
	NLB_COUNT_CLOSED,
	NLB_COUNT_NO_TARGET, /* SYNs left to the kernel, which refuses them */
	NLB_COUNT_NO_SLOT,   /* SYNs dropped: no free port towards that target */
	NLB_COUNT_ICMP,      /* errors translated */
	NLB_COUNT_FRAGMENT,  /* TCP fragments left to the kernel */
	NLB_COUNT_MALFORMED, /* left to the kernel, which drops them */
	NLB_COUNT_RACED,     /* dropped: the flow was swept, or the table replaced twice, under our hands */
	NLB_COUNTERS,
};

/* --- what both sides compute ------------------------------------------------------------------------- */

/* MurmurHash3's 64-bit finalizer (Appleby, public domain). */
static inline __u64 nlb_mix(__u64 h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}
/* A flow's hash. Never the kernel's skb->hash, which changes when a connection retransmits. */
static inline __u64 nlb_hash(__u64 seed, const struct nlb_addr *client, __u16 port, __u16 service)
{
	__u64 h = nlb_mix(seed ^ ((__u64)client->word[0] << 32 | client->word[1]));
	h = nlb_mix(h ^ ((__u64)client->word[2] << 32 | client->word[3]));
	return nlb_mix(h ^ ((__u64)service << 16 | port));
}
/* Where in the lookup table a flow's target stands. */
static inline __u32 nlb_entry_of(__u64 hash)
{
	return (__u32)((hash >> 32) * NLB_TABLE_SIZE >> 32);
}
/* The i-th port that a flow may get, 1 <= i < NLB_CANDIDATES; host order. */
static inline __u32 nlb_candidate(__u64 hash, __u32 i)
{
	__u64 h = nlb_mix(hash + i) & 0xffffffff;
	return NLB_HASHED_FIRST + (__u32)(h * (NLB_PORTS - NLB_HASHED_FIRST) >> 32);
}

static inline __u16 nlb_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}
/* What replacing one address by another adds to a sum (RFC 1624). */
static inline __u64 nlb_sum_addr(const struct nlb_addr *from, const struct nlb_addr *to)
{
	__u64 sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (__u64)to->word[i] + (__u32)~from->word[i];
	return sum;
}
static inline __u64 nlb_sum_port(__u16 from, __u16 to)
{
	return (__u64)to + (__u16)~from;
}
/* A checksum field after what it covers has grown by delta. */
static inline __u16 nlb_sum_update(__u16 check, __u16 delta)
{
	return (__u16)~nlb_sum_fold((__u64)(__u16)~check + delta);
}
#endif
