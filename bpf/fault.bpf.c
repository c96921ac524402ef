/* fault.bpf.c - what happens to a packet on its last link. One program, attached to the clsact egress of
 * many devices through port programs of a few instructions (orchestrator/faults/fault_attach.c) that say in
 * cb[0] where the packet is. Every packet meets exactly one decision; docs/faults.md says what it may be. */
#include "fault_choice.h"
#include <linux/pkt_cls.h>

#define PASS TC_ACT_UNSPEC /* go on to the next filter, if the user attached one */

int fault_decide(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} decision SEC(".maps") = { .values = { [0] = (void *)&fault_decide } };

/* --- one rule ---------------------------------------------------------------------------------------- */

/* Makes a choice whether to drop (or reject), for a source and destination; counts it. */
static __always_inline int choose(const struct fault_rule *r, __u32 i, const struct fault_addr *src,
                                  const struct fault_addr *dst, struct fault_counters *c)
{
	struct fault_pair_key k = { .src = *src, .dst = *dst, .rule = i };
	__u64 n = next_of(&k);
	int hit = r->drop_every ? (n + 1) % r->drop_every == 0 : chance(hash_of(r, &k, n), r->drop);

	c->matched++;
	if (hit && r->reject) {
		c->rejected++;
	} else if (hit) {
		c->dropped++;
	}
	return hit;
}

/* The choice that holds for a whole connection: made at its first packet, by that packet's direction. */
static __always_inline int chosen_for_flow(const struct fault_rule *r, __u32 i, struct passage *g,
                                           struct fault_counters *c)
{
	__u64 bit = 1ULL << i;
	const struct fault_addr *src = g->forward ? &g->p.from.addr : &g->p.to.addr;
	const struct fault_addr *dst = g->forward ? &g->p.to.addr : &g->p.from.addr;

	if ((g->flow.decided & bit) && g->flow.seen_ns >= r->on_since) return (g->flow.kept & bit) != 0;
	g->flow.decided |= bit;
	g->flow.kept &= ~bit;
	if (!matches(r, src, dst, g->now) || !choose(r, i, src, dst, c)) return 0;
	g->flow.kept |= bit;
	return 1;
}

static __always_inline int chosen(const struct fault_rule *r, __u32 i, struct passage *g,
                                  struct fault_counters *c)
{
	struct packet *p = &g->p;
	int tcp = p->has_flow && p->from.proto == IPPROTO_TCP;

	if (p->has_flow && (r->per == FAULT_PER_FLOW || (r->per == FAULT_PER_DEFAULT && tcp)))
		return chosen_for_flow(r, i, g, c);
	/* a request is a choice each time it is sent; its answer was spared with it */
	if (p->has_flow && r->per == FAULT_PER_DEFAULT && !g->forward) return 0;
	return matches(r, &p->src, &p->dst, g->now) && choose(r, i, &p->src, &p->dst, c);
}

/* A reset and an ICMP error can't be refused, nor what the refused side says itself. */
static __always_inline int refusable(const struct passage *g)
{
	return !g->p.icmp_error && !g->p.rst && (g->forward || !g->p.has_flow);
}

static __always_inline enum fate fate_of(const struct fault_rule *r, __u32 i, struct passage *g,
                                         struct fault_counters *c)
{
	if (r->reject && (!refusable(g) || !g->alive)) return FATE_PASS;
	if (!chosen(r, i, g, c)) return FATE_PASS;
	c->packets++;
	return r->reject ? FATE_REJECT : FATE_DROP;
}

/* When a packet leaves a queue that lets one through every gap: not before now, and after its predecessor. */
static __always_inline __u64 queue_wait(__u32 i, __u64 gap, __u64 now)
{
	__u64 *free_at = bpf_map_lookup_elem(&queues, &i), start = now;

	if (!free_at) return 0;
	for (int tries = 0; tries < 8; tries++) { /* CPUs may meet here; the ninth loser shares a place */
		__u64 seen = *(volatile __u64 *)free_at;
		start = seen > now ? seen : now;
		if (__sync_val_compare_and_swap(free_at, seen, start + gap) == seen) break;
	}
	return start + gap - now;
}

/* Notes that the rule did something to this packet's flow: evidence for whoever asks why it failed. */
static __always_inline void touch(struct passage *g, __u32 i)
{
	g->flow.touched |= 1ULL << i;
	g->flow.touched_ns = g->now;
}

static __always_inline void hold_back(const struct fault_rule *r, __u32 i, struct passage *g, __u64 h,
                                      struct fault_counters *c)
{
	__u64 wait = r->delay_ns + (r->jitter_ns ? uniform(h, r->jitter_ns) : 0);

	if (r->gap_ns) wait += queue_wait(i, r->gap_ns, g->now);
	if (r->reorder && chance(mix(h + 1), r->reorder)) {
		/* past those that are held, or behind those that are not */
		wait = wait ? 0 : FAULT_REORDER_NS;
		c->reordered++;
	}
	if (!wait) return;
	g->due += wait;
	g->holder = i;
	c->delayed++;
	touch(g, i);
}

static __always_inline void corrupt(const struct fault_rule *r, __u32 i, struct passage *g, __u64 h,
                                    struct fault_counters *c)
{
	if (!chance(mix(h + 2), r->corrupt)) return;
	g->corrupt = 1;
	g->choice = mix(h + 3);
	g->holder = i;
	c->corrupted++;
	touch(g, i);
}

static __always_inline void duplicate(const struct fault_rule *r, __u32 i, struct passage *g, __u64 h,
                                      struct fault_counters *c)
{
	if (!chance(mix(h + 4), r->duplicate)) return;
	g->duplicate = 1;
	c->duplicated++;
	touch(g, i);
}

/* What happens to packets that are not dropped; by the packet's own direction. */
static __always_inline void affect(const struct fault_rule *r, __u32 i, struct passage *g,
                                   struct fault_counters *c)
{
	int needs_line = r->delay_ns || r->jitter_ns || r->gap_ns || r->reorder || r->corrupt;
	struct fault_pair_key k = { .src = g->p.src, .dst = g->p.dst, .rule = i, .packets = 1 };
	__u64 h;

	if (!needs_line && !r->duplicate) return;
	if (!matches(r, &k.src, &k.dst, g->now)) return;
	h = hash_of(r, &k, next_of(&k));
	if (!r->drop && !r->drop_every) c->matched++;
	if (needs_line && g->alive) {
		hold_back(r, i, g, h, c);
		corrupt(r, i, g, h, c);
	} else if (needs_line) {
		c->bypassed++;
	}
	duplicate(r, i, g, h, c);
}

/* One rule on one packet; 1 ends the loop over the rules. Global for the verifier's sake, as side_has(). */
__noinline int apply(const struct fault_rule *r, __u32 i, struct passage *g, struct fault_counters *c)
{
	if (!r || !g || !c || i >= FAULT_RULES_MAX) return 0;
	if (!rule_fits(r, g)) return 0;
	if (r->drop || r->drop_every) g->fate = fate_of(r, i, g, c);
	if (g->fate == FATE_PASS) {
		affect(r, i, g, c);
		return 0;
	}
	touch(g, i);
	g->flow.dropped |= 1ULL << i;
	g->holder = i;
	return 1;
}

static long consider(__u32 i, struct passage *g)
{
	__u32 copy = i;
	struct fault_counters *c;
	struct fault_rule *r;

	if (i >= FAULT_RULES_MAX || !(g->on >> i & 1)) return 0;
	if (second >> i & 1) copy += FAULT_RULES_MAX;
	r = bpf_map_lookup_elem(&rules, &copy);
	c = bpf_map_lookup_elem(&counters, &i);
	if (!r || !c) return 0;
	return apply(r, i, g, c) ? 1 : 0; /* the verifier wants to see 0 or 1 */
}

/* --- what becomes of the packet ---------------------------------------------------------------------- */

static __always_inline void count_lost(__u32 rule)
{
	struct fault_counters *c = bpf_map_lookup_elem(&counters, &rule);

	if (c) c->lost++;
}

/* The ring wants sizes known beforehand: one for small packets, one for the MTU, one for what TSO sends. */
static __always_inline int hold_in(struct __sk_buff *skb, const struct passage *g, __u16 flags,
                                   const __u32 room)
{
	struct fault_packet *h = bpf_ringbuf_reserve(&ring, sizeof(*h) + room, 0);
	__u32 last = skb->len - 1; /* its number; there is no packet without a byte */

	if (!h) return -1;
	*h = (struct fault_packet){ .due_ns = g->due,
		                    .choice = g->choice,
		                    .ifindex = skb->ifindex,
		                    .netns = skb->cb[0] & 0xffff,
		                    .flags = flags,
		                    .gso_size = skb->gso_size,
		                    .l4_off = g->p.l4_off,
		                    .proto = g->p.proto,
		                    .v6 = g->p.v6 };
	if (last >= room) goto discard;
	/* The verifier of Linux 6.1 bounds only the register that was compared, and learns nothing from "not
	 * 0": the length is made of that register, and not before. */
	asm volatile("" : "+r"(last));
	h->len = last + 1;
	if (bpf_skb_load_bytes(skb, 0, h->data, last + 1) < 0) goto discard;
	bpf_ringbuf_submit(h, 0);
	return 0;
discard:
	bpf_ringbuf_discard(h, BPF_RB_NO_WAKEUP);
	return -1;
}

__noinline int hold(struct __sk_buff *skb, const struct passage *g, __u16 flags)
{
	int r;

	if (!g) return TC_ACT_SHOT;
	if (skb->len <= 256) {
		r = hold_in(skb, g, flags, 256);
	} else if (skb->len <= 2048) {
		r = hold_in(skb, g, flags, 2048);
	} else {
		r = hold_in(skb, g, flags, FAULT_DATA_MAX);
	}
	if (r == 0) return TC_ACT_STOLEN;
	count_lost(g->holder);
	return TC_ACT_SHOT;
}

static __always_inline int carry_out(struct __sk_buff *skb, struct passage *g)
{
	if (g->fate == FATE_DROP) return TC_ACT_SHOT;
	if (g->fate == FATE_REJECT) return hold(skb, g, FAULT_REJECT);
	/* every segment of a corrupted TSO packet fails its checksum: the receiver drops them all */
	if (g->corrupt && skb->gso_size) return TC_ACT_SHOT;
	if (g->corrupt || g->due > g->now) {
		if (g->duplicate) hold(skb, g, 0);
		return hold(skb, g, g->corrupt ? FAULT_CORRUPT : 0);
	}
	if (g->duplicate) {
		__u32 mark = skb->mark;
		skb->mark = FAULT_MARK;
		bpf_clone_redirect(skb, skb->ifindex, 0);
		skb->mark = mark;
	}
	return PASS;
}

/* What the delay line sends has had its decision. Its answers turn back into the router, as if the
 * destination had sent them. */
static __always_inline int let_by(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(FAULT_ETH_P_BACK)) return PASS;
	skb->mark = 0;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

static __always_inline int line_alive(__u64 now)
{
	__u32 zero = 0;
	struct fault_line *l = bpf_map_lookup_elem(&line, &zero);

	/* a beat may be a little newer than now, which was taken before */
	return l && l->beat_ns && now < l->beat_ns + FAULT_SILENCE_NS;
}

SEC("tc")
int fault_decide(struct __sk_buff *skb)
{
	struct passage g = {};
	struct fault_flow_key key;
	struct fault_flow_state *f = 0;

	if (skb->mark == FAULT_MARK) return let_by(skb);
	g.on = active;
	if (parse_packet(skb, &g.p) < 0) return PASS;
	/* without rules only who opens a connection is noted: a rule may come in the middle of it */
	if (!g.on && !(g.p.syn && !g.p.ack)) return PASS;
	if ((skb->cb[0] & FAULT_PORT_OWN) && !bpf_map_lookup_elem(&own, &g.p.dst)) return PASS;
	g.now = bpf_ktime_get_ns();
	g.due = g.now;
	g.alive = line_alive(g.now);
	g.forward = 1;
	if (g.p.has_flow) f = flow_load(&g, &key);
	bpf_loop(n_rules, consider, &g, 0);
	if (g.p.has_flow) flow_store(&g, &key, f);
	return carry_out(skb, &g);
}

char LICENSE[] SEC("license") = "GPL";
