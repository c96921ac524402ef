/* nlb_slots.h - the slot table as the tc program uses it: finding a flow, claiming a slot for a new one,
 * and keeping its state. Only the daemon's sweep makes a way vacant again. */
#ifndef AZLAB_BPF_NLB_SLOTS_H
#define AZLAB_BPF_NLB_SLOTS_H
#include "nlb.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NLB_PORTS);
	__type(key, __u32);
	__type(value, struct nlb_set);
	__uint(map_flags, BPF_F_MMAPABLE);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NLB_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* A way of a set, found or claimed. */
struct slot {
	struct nlb_flow *flow;
	__u32 *state, *seen;
	__u16 port; /* network order */
};

static __always_inline void count(enum nlb_counter which)
{
	__u32 key = which;
	__u64 *n = bpf_map_lookup_elem(&counters, &key);
	if (n) ++*n;
}
static __always_inline __u32 ticks_now(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() >> NLB_TICK_SHIFT);
}

static __always_inline struct nlb_set *set_of(__u32 port)
{
	return bpf_map_lookup_elem(&slots, &port);
}
static __always_inline void slot_set(struct slot *s, struct nlb_set *set, int way, __u16 port)
{
	*s = (struct slot){ &set->flow[way], &set->state[way], &set->seen[way], port };
}

/* --- finding ----------------------------------------------------------------------------------------- */

static __always_inline bool find_client_in(struct nlb_set *set, const struct nlb_addr *client, __u16 port,
                                           __u16 service, __u32 at, struct slot *ret)
{
	for (int way = 0; way < NLB_WAYS; way++) {
		struct nlb_flow *f = &set->flow[way];
		if ((set->state[way] & (NLB_USED | NLB_ORPHAN)) != NLB_USED) continue;
		if (f->client_port != port || f->service != service || !addr_equal(&f->client, client))
			continue;
		slot_set(ret, set, way, bpf_htons(at));
		return true;
	}
	return false;
}

/* The flow of a client: in its home set, or, if flows of that home were displaced, where they may be. */
static __always_inline bool find_client(__u64 seed, const struct nlb_addr *client, __u16 port, __u16 service,
                                        struct slot *ret)
{
	struct nlb_set *set = set_of(bpf_ntohs(port));

	if (!set) return false;
	if (find_client_in(set, client, port, service, bpf_ntohs(port), ret)) return true;
	__u32 in_use = (__u32)set->displaced;
	if (!in_use) return false;
	__u64 hash = nlb_hash(seed, client, port, service);
	for (__u32 i = 1; i < NLB_CANDIDATES; i++) {
		if (!(in_use >> i & 1)) continue;
		__u32 at = nlb_candidate(hash, i);
		set = set_of(at);
		if (set && find_client_in(set, client, port, service, at, ret)) return true;
	}
	return false;
}

/* The flow that holds one of our ports towards a target. */
static __always_inline bool find_target(__u16 port, const struct nlb_addr *target, __u16 target_port,
                                        struct slot *ret)
{
	struct nlb_set *set = set_of(bpf_ntohs(port));

	for (int way = 0; set && way < NLB_WAYS; way++) {
		struct nlb_flow *f = &set->flow[way];
		if ((set->state[way] & (NLB_USED | NLB_ORPHAN)) != NLB_USED) continue;
		if (f->target_port != target_port || !addr_equal(&f->target, target)) continue;
		slot_set(ret, set, way, port);
		return true;
	}
	return false;
}

/* --- claiming ---------------------------------------------------------------------------------------- */

/* A vacant way in a locked set; -1 if it is full, or if this port is taken towards this target. */
static __always_inline int vacant_way(const struct nlb_set *set, const struct nlb_flow *wanted)
{
	int vacant = -1;

	for (int way = 0; way < NLB_WAYS; way++) {
		const struct nlb_flow *f = &set->flow[way];
		if (!(set->state[way] & NLB_USED))
			vacant = way;
		else if (f->target_port == wanted->target_port && addr_equal(&f->target, &wanted->target))
			return -1;
	}
	return vacant;
}

static __always_inline void fill(struct slot *s, const struct nlb_flow *wanted, const struct nlb_addr *own,
                                 const struct nlb_addr *zonal, __u16 zonal_port)
{
	*s->flow = *wanted;
	s->flow->addr_delta =
	    nlb_sum_fold(nlb_sum_addr(&wanted->client, own) + nlb_sum_addr(zonal, &wanted->target));
	s->flow->port_delta = nlb_sum_fold(nlb_sum_port(wanted->client_port, s->port) +
	                                   nlb_sum_port(zonal_port, wanted->target_port));
	*s->seen = ticks_now();
	/* an atomic exchange orders the stores before it: who sees NLB_USED sees the flow */
	__sync_lock_test_and_set(s->state, ((*s->state & ~(NLB_GENERATION - 1)) + NLB_GENERATION) | NLB_USED);
	count(NLB_COUNT_NEW);
}

/* Takes a slot for a new flow; false if no port is left for it. */
static __always_inline bool claim(__u64 hash, const struct nlb_flow *wanted, const struct nlb_addr *own,
                                  const struct nlb_addr *zonal, __u16 zonal_port, struct slot *ret)
{
	__u32 home_port = bpf_ntohs(wanted->client_port);
	struct nlb_set *home = set_of(home_port);

	for (__u32 i = 0; home && i < NLB_CANDIDATES; i++) {
		__u32 port = i ? nlb_candidate(hash, i) : home_port;
		struct nlb_set *set = set_of(port);
		if (!set || __sync_val_compare_and_swap(&set->lock, 0, 1)) continue;
		int way = vacant_way(set, wanted);
		if (way >= 0) {
			if (i) {
				/* first the number, then the bit: the sweep clears the bits only at number 0
				 */
				__sync_fetch_and_add(&home->displaced, NLB_DISPLACED_ONE);
				__sync_fetch_and_or(&home->displaced, (__u64)1 << i);
			}
			slot_set(ret, set, way & (NLB_WAYS - 1), bpf_htons(port));
			fill(ret, wanted, own, zonal, zonal_port);
		}
		__sync_lock_test_and_set(&set->lock, 0);
		if (way >= 0) return true;
	}
	return false;
}

/* --- a flow's life ----------------------------------------------------------------------------------- */

static __always_inline void note(struct slot *s, __u32 state, __u32 bits)
{
	__u32 now = ticks_now();

	if (now - *s->seen > NLB_TOUCH_TICKS) *s->seen = now;
	if ((state & bits) == bits) return;
	__u32 before = __sync_fetch_and_or(s->state, bits);
	if (!nlb_closed(before) && nlb_closed(before | bits)) count(NLB_COUNT_CLOSED);
}

/* False if the slot has meanwhile been swept and given to another flow: what was read of it may be torn. */
static __always_inline bool still_is(const struct slot *s, __u32 state)
{
	__u32 now = *(volatile __u32 *)s->state;
	return (now & NLB_USED) && (now ^ state) < NLB_GENERATION;
}

static __always_inline void note_from_client(struct slot *s, const struct packet *p)
{
	__u32 state = *s->state, bits = 0;

	if (p->flags & TCP_RST) bits |= NLB_RESET;
	if (p->flags & TCP_FIN) {
		if (!(state & NLB_FIN_CLIENT)) s->flow->fin_end = p->seq + p->payload + 1;
		bits |= NLB_FIN_CLIENT;
	}
	if ((state & NLB_REPLIED) && !(p->flags & TCP_SYN)) bits |= NLB_OPEN;
	note(s, state, bits);
}

static __always_inline void note_from_target(struct slot *s, const struct packet *p)
{
	__u32 state = *s->state, bits = NLB_REPLIED;

	if (p->flags & TCP_RST) bits |= NLB_RESET;
	if (p->flags & TCP_FIN) {
		/* a FIN that acknowledges the client's was sent in LAST_ACK, after which comes no TIME_WAIT
		 * (RFC 9293, 3.6); any other may be one half of a simultaneous close */
		if ((state & (NLB_FIN_CLIENT | NLB_FIN_TARGET)) == NLB_FIN_CLIENT &&
		    (__s32)(p->ack - s->flow->fin_end) >= 0)
			bits |= NLB_PASSIVE;
		bits |= NLB_FIN_TARGET;
	}
	note(s, state, bits);
}

/* A closed flow begins anew, on its old slot. False if another processor was first, which is as good. */
static __always_inline bool reopen(struct slot *s, __u32 state)
{
	__u32 fresh = ((state & ~(NLB_GENERATION - 1)) + NLB_GENERATION) | NLB_USED;

	*s->seen = ticks_now(); /* first, or the sweep would take the old time for the new flow's */
	if (__sync_val_compare_and_swap(s->state, state, fresh) != state) return false;
	count(NLB_COUNT_NEW);
	return true;
}
#endif
