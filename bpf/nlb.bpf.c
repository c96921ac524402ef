/* nlb.bpf.c - the zonal load balancer's data plane: tc ingress on its only interface. What a client sends
 * to a zonal address goes on to a target from the balancer's own address; what a target answers goes back
 * from the zonal address; either leaves where it came in. All else is left to the kernel: ICMP echo,
 * health reports, and TCP that belongs to no flow, which the kernel refuses by RST.
 *
 * The hop limit stays as it is: to both sides the balancer is an end of the connection, and a loop through
 * it always crosses its router, which counts. */
#include "nlb.h"
#include "parse.h"
#include "nlb_slots.h"
#include "nlb_icmp.h"
#include <linux/pkt_cls.h>

const volatile struct nlb_addr own4, own6; /* what targets see as the source */
const volatile __u64 hash_seed;
/* Sends packets straight into the peer's receive path. It saves a queue, but then a capture on the
 * balancer's own interface shows one direction only. */
const volatile bool via_peer;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * NLB_SERVICES_MAX);
	__type(key, struct nlb_service_key);
	__type(value, __u32);
} service_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NLB_SERVICES_MAX);
	__type(key, __u32);
	__type(value, struct nlb_service);
	__uint(map_flags, BPF_F_MMAPABLE);
} services SEC(".maps");

/* One element a service; the daemon sets the number before it loads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nlb_tables);
	__uint(map_flags, BPF_F_MMAPABLE);
} tables SEC(".maps");

/* Word by word: without volatile the compiler would take the addresses for the zeroes they are until loaded.
 */
static __always_inline struct nlb_addr own_addr(__u16 family)
{
	struct nlb_addr a;

	for (int i = 0; i < 4; i++)
		a.word[i] = family == 4 ? own4.word[i] : own6.word[i];
	return a;
}

/* --- rewriting --------------------------------------------------------------------------------------- */

static __always_inline int send_back(struct __sk_buff *skb)
{
	struct ethhdr *eth = header_at(skb, 0, sizeof(*eth));
	__u8 mac[ETH_ALEN];

	if (!eth) return TC_ACT_SHOT;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return via_peer ? (int)bpf_redirect_peer(skb->ifindex, 0) : (int)bpf_redirect(skb->ifindex, 0);
}

static __always_inline bool write_addresses(struct __sk_buff *skb, const struct packet *p,
                                            const struct nlb_addr *src, const struct nlb_addr *dst,
                                            __u16 delta)
{
	if (p->family == 4) {
		struct iphdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (!ip) return false;
		ip->saddr = src->word[3];
		ip->daddr = dst->word[3];
		ip->check = nlb_sum_update(ip->check, delta);
	} else {
		struct ipv6hdr *ip = header_at(skb, ETH_HLEN, sizeof(*ip));
		if (!ip) return false;
		__builtin_memcpy(&ip->saddr, src, sizeof(ip->saddr));
		__builtin_memcpy(&ip->daddr, dst, sizeof(ip->daddr));
	}
	return true;
}

/* What a segment becomes. */
struct rewrite {
	struct nlb_addr src, dst;
	__u16 sport, dport;
	__u16 addr_delta, port_delta;
};

static __always_inline int rewrite_and_send(struct __sk_buff *skb, const struct packet *p,
                                            const struct rewrite *w)
{
	__u32 check = p->l4 + offsetof(struct tcphdr, check);

	if (!write_addresses(skb, p, &w->src, &w->dst, w->addr_delta)) return TC_ACT_SHOT;
	struct tcphdr *tcp = header_at(skb, p->l4, sizeof(*tcp));
	if (!tcp) return TC_ACT_SHOT;
	tcp->source = w->sport;
	tcp->dest = w->dport;
	/* by the helper, as it knows which checksums are partial: those cover the addresses only */
	if (bpf_l4_csum_replace(skb, check, 0, w->addr_delta, BPF_F_PSEUDO_HDR) ||
	    bpf_l4_csum_replace(skb, check, 0, w->port_delta, 0))
		return TC_ACT_SHOT;
	return send_back(skb);
}

/* --- from a client ----------------------------------------------------------------------------------- */

static __always_inline bool service_of(const struct nlb_addr *addr, __u16 port, __u32 *ret_index)
{
	struct nlb_service_key key = { .addr = *addr, .port = port };
	__u32 *index = bpf_map_lookup_elem(&service_index, &key);

	if (index) *ret_index = *index;
	return index != NULL;
}

/* The target of a new flow. False if the service has none of that family, or if the table kept changing. */
static __always_inline bool choose_target(__u32 service, __u64 hash, struct nlb_flow *f)
{
	struct nlb_tables *both = bpf_map_lookup_elem(&tables, &service);

	for (int attempt = 0; both && attempt < 3; attempt++) {
		__u32 generation = *(volatile __u32 *)&both->generation;
		struct nlb_table *t = &both->half[generation & 1];
		__u32 at = nlb_entry_of(hash);
		if (t->n == 0 || at >= NLB_TABLE_SIZE) break;
		__u32 index = t->entry[at];
		if (index >= NLB_TARGETS_MAX) break;
		const struct nlb_target *target = &t->targets[index];
		f->target = f->family == 4 ? target->addr4 : target->addr6;
		f->target_port = target->port;
		if (*(volatile __u32 *)&both->generation == generation) return f->target.word[3] != 0;
	}
	return false;
}

/* A SYN without a flow, or on a closed one (*s, where state is not 0). True: *s is its slot now. */
static __always_inline int open_flow(const struct packet *p, __u32 service, __u32 state, struct slot *s)
{
	struct nlb_flow wanted = {
		.client = p->src,
		.client_port = p->sport,
		.service = service,
		.family = p->family,
	};
	__u64 hash = nlb_hash(hash_seed, &p->src, p->sport, service);
	struct nlb_addr own = own_addr(p->family);

	if (!choose_target(service, hash, &wanted)) {
		count(NLB_COUNT_NO_TARGET);
		return TC_ACT_OK;
	}
	if (state) {
		if (addr_equal(&s->flow->target, &wanted.target) &&
		    s->flow->target_port == wanted.target_port) {
			reopen(s, state);
			return TC_ACT_UNSPEC;
		}
		__sync_fetch_and_or(s->state,
		                    NLB_ORPHAN); /* that port stays closed while its target may remember it */
	}
	if (!claim(hash, &wanted, &own, &p->dst, p->dport, s)) {
		count(NLB_COUNT_NO_SLOT);
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int from_client(struct __sk_buff *skb, const struct packet *p, __u32 service)
{
	bool opens = (p->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	struct slot s;
	__u32 state = 0;
	bool known = find_client(hash_seed, &p->src, p->sport, service, &s);

	if (known) state = *s.state;
	if (opens && (!known || nlb_closed(state))) {
		int verdict = open_flow(p, service, state, &s);
		if (verdict != TC_ACT_UNSPEC) return verdict;
	} else if (!known) {
		return TC_ACT_OK;
	}
	state = *s.state;
	struct rewrite w = {
		.src = own_addr(p->family),
		.dst = s.flow->target,
		.sport = s.port,
		.dport = s.flow->target_port,
		.addr_delta = s.flow->addr_delta,
		.port_delta = s.flow->port_delta,
	};
	note_from_client(&s, p);
	if (still_is(&s, state)) return rewrite_and_send(skb, p, &w);
	count(NLB_COUNT_RACED);
	return TC_ACT_SHOT;
}

/* --- from a target ----------------------------------------------------------------------------------- */

static __always_inline int from_target(struct __sk_buff *skb, const struct packet *p)
{
	struct slot s;

	if (!find_target(p->dport, &p->src, p->sport, &s)) return TC_ACT_OK;
	__u32 state = *s.state, service = s.flow->service;
	struct nlb_service *of = bpf_map_lookup_elem(&services, &service);
	if (!of) return TC_ACT_SHOT;
	struct rewrite w = {
		.src = p->family == 4 ? of->zonal4 : of->zonal6,
		.dst = s.flow->client,
		.sport = of->port,
		.dport = s.flow->client_port,
		.addr_delta = ~s.flow->addr_delta,
		.port_delta = ~s.flow->port_delta,
	};
	note_from_target(&s, p);
	if (still_is(&s, state)) return rewrite_and_send(skb, p, &w);
	count(NLB_COUNT_RACED);
	return TC_ACT_SHOT;
}

static __always_inline int on_tcp(struct __sk_buff *skb, struct packet *p)
{
	struct nlb_addr own = own_addr(p->family);
	__u32 service;

	if (parse_tcp(skb, p) != PARSED) {
		count(NLB_COUNT_MALFORMED);
		return TC_ACT_OK;
	}
	if (addr_equal(&p->dst, &own)) return from_target(skb, p);
	return service_of(&p->dst, p->dport, &service) ? from_client(skb, p, service) : TC_ACT_OK;
}

/* --- ICMP errors ------------------------------------------------------------------------------------- */

/* Finds the flow that the quoted packet belongs to, and what the error becomes. */
static __always_inline bool about_flow(const struct packet *p, const struct packet *quoted,
                                       struct icmp_rewrite *w)
{
	struct nlb_addr own = own_addr(p->family);
	struct slot s;
	__u32 service;

	if (addr_equal(&quoted->src, &own)) { /* we sent it to a target */
		if (!find_target(quoted->sport, &quoted->dst, quoted->dport, &s)) return false;
		service = s.flow->service;
		struct nlb_service *of = bpf_map_lookup_elem(&services, &service);
		if (!of) return false;
		w->inner_src = s.flow->client, w->inner_sport = s.flow->client_port;
		w->inner_dst = p->family == 4 ? of->zonal4 : of->zonal6, w->inner_dport = of->port;
		w->addr_delta = ~s.flow->addr_delta, w->port_delta = ~s.flow->port_delta;
	} else { /* we sent it to a client */
		if (!service_of(&quoted->src, quoted->sport, &service)) return false;
		if (!find_client(hash_seed, &quoted->dst, quoted->dport, service, &s)) return false;
		w->inner_src = s.flow->target, w->inner_sport = s.flow->target_port;
		w->inner_dst = own, w->inner_dport = s.port;
		w->addr_delta = s.flow->addr_delta, w->port_delta = s.flow->port_delta;
	}
	/* The error goes to whose packet it is about, and comes from the address that the packet went to, as
	 * with the kernel's own translation: many errors are the router's, and from its own address it takes
	 * no packet back. */
	w->outer_dst = w->inner_src;
	w->outer_src = w->inner_dst;
	return true;
}

static __always_inline int on_icmp(struct __sk_buff *skb, struct packet *p)
{
	struct packet quoted = { 0 };
	struct icmp_rewrite w;

	if (!icmp_is_error(skb, p) || !icmp_quoted(skb, p, &quoted)) return TC_ACT_OK;
	if (!addr_equal(&p->dst, &quoted.src) || !about_flow(p, &quoted, &w)) return TC_ACT_OK;
	__u16 outer_delta =
	    nlb_sum_fold(nlb_sum_addr(&p->src, &w.outer_src) + nlb_sum_addr(&p->dst, &w.outer_dst));
	if (!icmp_rewrite_inner(skb, p, &quoted, &w, outer_delta) ||
	    !write_addresses(skb, p, &w.outer_src, &w.outer_dst, outer_delta))
		return TC_ACT_SHOT;
	count(NLB_COUNT_ICMP);
	return send_back(skb);
}

SEC("tc")
int nlb_ingress(struct __sk_buff *skb)
{
	struct packet p = { .l3 = ETH_HLEN };
	enum parsed parsed = parse_ip(skb, &p, skb->protocol);

	if (parsed == PARSED_FRAGMENT && p.protocol == IPPROTO_TCP) count(NLB_COUNT_FRAGMENT);
	if (parsed == PARSED_MALFORMED) count(NLB_COUNT_MALFORMED);
	if (parsed != PARSED) return TC_ACT_OK;
	if (p.protocol == IPPROTO_TCP) return on_tcp(skb, &p);
	if (p.protocol == (p.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) return on_icmp(skb, &p);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
