/* fault_state.h - what the fault program keeps: its switches and maps, and a packet on its way through them.
 * For BPF programs only. */
#ifndef AZLAB_FAULT_STATE_H
#define AZLAB_FAULT_STATE_H
#include "fault_parse.h"

/* Switches: user space writes them in place. A rule lives twice, so that it can change under traffic. */
__u64 active;    /* rules that are on */
__u64 second;    /* rules whose second copy is the valid one */
__u32 n_rules;   /* no rule from here on is defined */
__u64 untracked; /* choices made without a count, because a table was full */
const volatile __u64 seed;

#define MAP(name, map_type, k, v, size)                                                                      \
	struct {                                                                                             \
		__uint(type, map_type);                                                                      \
		__uint(max_entries, size);                                                                   \
		__type(key, k);                                                                              \
		__type(value, v);                                                                            \
	} name SEC(".maps")

MAP(rules, BPF_MAP_TYPE_ARRAY, __u32, struct fault_rule, 2 * FAULT_RULES_MAX);
MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct fault_counters, FAULT_RULES_MAX);
MAP(flows, BPF_MAP_TYPE_LRU_HASH, struct fault_flow_key, struct fault_flow_state, FAULT_FLOWS_MAX);
MAP(queues, BPF_MAP_TYPE_ARRAY, __u32, __u64, FAULT_RULES_MAX); /* when a slow queue is free again */
MAP(own, BPF_MAP_TYPE_HASH, struct fault_addr, __u8, FAULT_OWN_MAX);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAULT_PAIRS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fault_pair_key);
	__type(value, __u64);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct fault_line);
} line SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, FAULT_RING_BYTES);
} ring SEC(".maps");

enum fate { FATE_PASS, FATE_DROP, FATE_REJECT };

/* One packet on its way through the rules. */
struct passage {
	struct packet p;
	struct fault_flow_state flow;
	__u64 now, due, choice;
	__u64 on;     /* the rules that were on when it came */
	__u8 forward; /* it goes the way of the packet that opened its flow */
	__u8 alive;   /* the delay line is */
	__u8 fate, duplicate, corrupt;
	__u32 holder; /* the rule that answers for it in the ring */
};
#endif
