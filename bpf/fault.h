/* fault.h - what the fault program shares with user space: rules, counters, flows, held packets.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d, so that one comparison serves both
 * families. Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). Probabilities are in 1/2^32. */
#ifndef AZLAB_FAULT_H
#define AZLAB_FAULT_H
#include <linux/types.h>

enum {
	FAULT_RULES_MAX = 64, /* one bit each in the masks below */
	FAULT_PREFIXES_MAX =
	    130, /* of one side of a rule: a load balancer's own and 64 zonal addresses, twice */
	FAULT_FLOWS_MAX = 65536,
	FAULT_PAIRS_MAX = 131072,
	FAULT_OWN_MAX = 1024,
	FAULT_RING_BYTES = 16 << 20,
	FAULT_DATA_MAX = 65536 + 64, /* a GSO packet with its Ethernet header */

	FAULT_MARK = 0x617a6c61,   /* skb mark of what the delay line sends: has had its decision */
	FAULT_ETH_P_BACK = 0x88b5, /* protocol (a local experimental EtherType) of answers that turn back */

	/* cb[0] as the port's own small program sets it: the namespace's number, and this bit */
	FAULT_PORT_OWN = 1 << 16, /* decide only about packets to a router's own address */
};
#define FAULT_BEAT_NS 100000000ULL    /* the delay line's heartbeat; after this long a silence */
#define FAULT_SILENCE_NS 600000000ULL /* it counts as dead, and its rules pass packets at once */
#define FAULT_REORDER_NS 10000000ULL  /* how long `reorder` holds a packet of a rule without a delay */
#define FAULT_CERTAIN (1ULL << 32)    /* probability 1 */

/* In the order of enum fault_class. */
enum {
	FAULT_CLASS_ANY,
	FAULT_CLASS_ROUTE_UPDATE,
	FAULT_CLASS_HEALTH_CHECK,
	FAULT_CLASS_CONTROL,
	FAULT_CLASS_DNS,
	FAULT_CLASS_LEASE,
	FAULT_CLASS_USER,
	FAULT_CLASS_NONE, /* of packets: neither TCP nor UDP; only `any` matches it */
};
enum { FAULT_PER_DEFAULT, FAULT_PER_FLOW, FAULT_PER_PACKET };

struct fault_addr {
	__u64 word[2];
};
struct fault_prefix {
	struct fault_addr addr, mask;
};
/* Where packets come from or go to; no prefix at all: anywhere. */
struct fault_side {
	__u32 n, pad;
	struct fault_prefix prefix[FAULT_PREFIXES_MAX];
};

struct fault_rule {
	__u64 salt;     /* of the rule's name: tells its choices from those of another rule */
	__u64 on_since; /* written by fault_plane_switch() */
	__u64 delay_ns, jitter_ns;
	__u64 gap_ns;        /* between two packets of a slow queue; 0: no queue */
	__u64 on_ns, off_ns; /* duty cycle; 0: always on */
	__u64 drop, duplicate, reorder, corrupt;
	__u32 drop_every;   /* every n-th from this source to this destination, instead of drop */
	__u16 sport, dport; /* host order; 0: any */
	__u8 proto;         /* IPPROTO_*; 0: any */
	__u8 class, per;
	__u8 reject; /* what drop chooses is refused (RST, ICMP) instead of lost */
	struct fault_side from, to;
};

struct fault_counters {
	__u64 matched;  /* choices made: one a flow or a request where those are chosen, else one a packet */
	__u64 dropped;  /* of these, lost */
	__u64 rejected; /* of these, refused */
	__u64 packets;  /* packets that were lost or refused: retransmissions and answers included */
	__u64 delayed, duplicated, reordered, corrupted; /* packets */
	__u64 lost;                                      /* that the ring had no room for */
	__u64 bypassed;                                  /* passed at once because the delay line is dead */
};

/* A flow is known by its 5-tuple, the smaller end first, so that both directions find it. */
struct fault_end {
	struct fault_addr addr;
	__u32 port; /* host order */
	__u32 proto;
};
struct fault_flow_key {
	struct fault_end a, b;
};
struct fault_flow_state {
	__u64 decided, kept; /* by rule: a choice was made; it was to drop */
	__u64 touched,
	    dropped;      /* by rule: it did something to a packet of this flow; it dropped or refused one */
	__u64 seen_ns;    /* last packet */
	__u64 touched_ns; /* last packet that a rule did something to */
	__u32 isn;        /* the SYN's sequence number: tells a new connection from a retransmission */
	__u32 from_a;     /* end a opened it */
};

/* Counts per rule, source and destination, so that a choice depends on no port and no other traffic. */
struct fault_pair_key {
	struct fault_addr src, dst;
	__u32 rule;
	__u32 packets; /* counts packets, else what drop chooses among */
};

/* What the delay line shows to the program and to the orchestrator; it maps it. */
struct fault_line {
	__u64 beat_ns; /* last sign of life */
	__u64 lost;    /* packets it had to give up: no memory, or the device refused them */
};

enum { FAULT_CORRUPT = 1, FAULT_REJECT = 2 };
/* A record of the ring: the packet follows. */
struct fault_packet {
	__u64 due_ns;
	__u64 choice; /* random bits for the delay line: which bit `corrupt` turns */
	__u32 ifindex;
	__u32 len;
	__u16 netns; /* number of the packet socket */
	__u16 flags;
	__u16 gso_size; /* 0: one packet */
	__u16 l4_off;   /* from the Ethernet header */
	__u8 proto;     /* IPPROTO_*; 0 for a fragment without its header */
	__u8 v6;
	__u8 pad[6];
	__u8 data[];
};
#endif
