/* fault_choice.h - chance, what rules match, and what is remembered of flows. For BPF programs only. */
#ifndef AZLAB_FAULT_CHOICE_H
#define AZLAB_FAULT_CHOICE_H
#include "fault_state.h"

/* --- chance ------------------------------------------------------------------------------------------ */

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
static __always_inline __u64 mix(__u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static __always_inline __u64 hash_of(const struct fault_rule *r, const struct fault_pair_key *k, __u64 n)
{
	__u64 h = mix(seed ^ r->salt) + k->packets;

	h = mix(h ^ k->src.word[0]) + 1;
	h = mix(h ^ k->src.word[1]) + 2;
	h = mix(h ^ k->dst.word[0]) + 3;
	h = mix(h ^ k->dst.word[1]) + 4;
	return mix(h + (n + 1) * 0x9e3779b97f4a7c15ULL);
}

static __always_inline int chance(__u64 h, __u64 probability)
{
	return (h >> 32) < probability;
}

/* Uniform in 0..span, span below 2^40 ns (18 minutes). */
static __always_inline __u64 uniform(__u64 h, __u64 span)
{
	return (h >> 40) * ((span >> 8) + 1) >> 16;
}

/* Counts one more from this source to this destination; the first is 0. */
static __always_inline __u64 next_of(const struct fault_pair_key *k)
{
	__u64 *n = bpf_map_lookup_elem(&pairs, k), zero = 0;

	if (!n) {
		bpf_map_update_elem(&pairs, k, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&pairs, k);
	}
	if (n) return __sync_fetch_and_add(n, 1);
	return __sync_fetch_and_add(&untracked, 1);
}

/* --- matching ---------------------------------------------------------------------------------------- */

/* Not static: the verifier looks at a global function once, not at each of its calls. */
__noinline int side_has(const struct fault_side *side, const struct fault_addr *a)
{
	if (!side || !a) return 0;
	if (side->n == 0) return 1;
	for (__u32 i = 0; i < FAULT_PREFIXES_MAX && i < side->n; i++) {
		const struct fault_prefix *x = &side->prefix[i];
		if ((a->word[0] & x->mask.word[0]) == x->addr.word[0] &&
		    (a->word[1] & x->mask.word[1]) == x->addr.word[1])
			return 1;
	}
	return 0;
}

static __always_inline int port_fits(__u16 wanted, __u32 port)
{
	return !wanted || wanted == port;
}

/* Class, protocol and ports; the ports of a rule are those of the flow's first packet. */
static __always_inline int rule_fits(const struct fault_rule *r, const struct passage *g)
{
	const struct packet *p = &g->p;

	if (r->class != FAULT_CLASS_ANY && r->class != p->class) return 0;
	if (r->proto && r->proto != (p->has_flow ? p->from.proto : p->proto)) return 0;
	if (!r->sport && !r->dport) return 1;
	return port_fits(r->sport, g->forward ? p->from.port : p->to.port) &&
	       port_fits(r->dport, g->forward ? p->to.port : p->from.port);
}

/* Duty cycle: the on part comes first after switching on. */
static __always_inline int on_duty(const struct fault_rule *r, __u64 now)
{
	if (!r->on_ns) return 1;
	return (now - r->on_since) % (r->on_ns + r->off_ns) < r->on_ns;
}

static __always_inline int matches(const struct fault_rule *r, const struct fault_addr *src,
                                   const struct fault_addr *dst, __u64 now)
{
	return on_duty(r, now) && side_has(&r->from, src) && side_has(&r->to, dst);
}

/* --- flows ------------------------------------------------------------------------------------------- */

static __always_inline int end_before(const struct fault_end *x, const struct fault_end *y)
{
	if (x->addr.word[0] != y->addr.word[0]) return x->addr.word[0] < y->addr.word[0];
	if (x->addr.word[1] != y->addr.word[1]) return x->addr.word[1] < y->addr.word[1];
	return x->port < y->port;
}

/* Whether the packet's sender opened the flow, as far as a packet by itself can tell. */
static __always_inline int looks_forward(const struct packet *p)
{
	if (p->syn) return !p->ack;
	if (is_service_port(p->from.port) != is_service_port(p->to.port)) return is_service_port(p->to.port);
	return !p->icmp_error;
}

/* A connection or conversation begins with this packet, whatever is remembered of its 5-tuple. */
static __always_inline int begins(const struct packet *p, const struct fault_flow_state *f, __u64 now)
{
	if (p->syn && !p->ack) return f->isn != p->seq;
	return p->from.proto == IPPROTO_UDP && now - f->seen_ns > 30 * 1000000000ULL;
}

static __always_inline struct fault_flow_state *flow_load(struct passage *g, struct fault_flow_key *key)
{
	struct packet *p = &g->p;
	int from_a = end_before(&p->from, &p->to);
	struct fault_flow_state *f;

	key->a = from_a ? p->from : p->to;
	key->b = from_a ? p->to : p->from;
	f = bpf_map_lookup_elem(&flows, key);
	if (f && !begins(p, f, g->now)) {
		g->flow = *f;
	} else {
		g->flow.isn = p->syn && !p->ack ? p->seq : 0;
		g->flow.from_a = looks_forward(p) ? from_a : !from_a;
	}
	g->forward = g->flow.from_a == from_a;
	return f;
}

static __always_inline void flow_store(struct passage *g, const struct fault_flow_key *key,
                                       struct fault_flow_state *f)
{
	g->flow.seen_ns = g->now;
	if (f) {
		*f = g->flow;
	} else {
		bpf_map_update_elem(&flows, key, &g->flow, BPF_ANY);
	}
}
#endif
