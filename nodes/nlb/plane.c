#include "nlb/plane.h"
#include "common/cleanup.h"
#include "nlb.skel.h"
#include "nlb/plane_missing.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/mman.h>

struct plane {
	struct nlb_bpf *skel;
	struct nlb_set *slots;
	struct nlb_service *services;
	struct nlb_tables *tables;
	size_t n_services;
	uint64_t *per_cpu; /* scratch for one counter */
};

/* --- errors ------------------------------------------------------------------------------------------ */

static char last_warning[256]; /* what libbpf said last: often the kernel's own words */

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN) vsnprintf(last_warning, sizeof(last_warning), format, args);
	last_warning[strcspn(last_warning, "\n")] = '\0';
	return 0;
}

static int failed(struct plane_error *error, int result, const char *what)
{
	char missing[200];

	plane_missing(missing, sizeof(missing));
	snprintf(error->text, sizeof(error->text), "cannot %s: %s%s%s%s%s", what, strerror(-result),
	         missing[0] ? "; missing: " : "", missing, last_warning[0] ? "; " : "", last_warning);
	return result;
}

/* --- load and attach --------------------------------------------------------------------------------- */

/* Of an array map with BPF_F_MMAPABLE; its elements follow each other like an array's, see nlb.h. */
static size_t memory_size(const struct bpf_map *map)
{
	return (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
}
static void *map_memory(const struct bpf_map *map)
{
	void *memory = mmap(NULL, memory_size(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return memory == MAP_FAILED ? NULL : memory;
}
static void unmap_memory(void *memory, const struct bpf_map *map)
{
	if (memory) munmap(memory, memory_size(map));
}

static int add_service(struct plane *p, uint32_t index, const struct nlb_service *s)
{
	const struct nlb_addr *zonal[] = { &s->zonal4, &s->zonal6 };

	p->services[index] = *s;
	for (size_t i = 0; i < ARRAY_SIZE(zonal); i++) {
		struct nlb_service_key key = { .addr = *zonal[i], .port = s->port };
		if (!zonal[i]->word[3]) continue; /* a service of one family */
		int result = bpf_map__update_elem(p->skel->maps.service_index, &key, sizeof(key), &index,
		                                  sizeof(index), BPF_NOEXIST);
		if (result < 0) return result;
	}
	return 0;
}

static int load(struct plane *p, const struct plane_params *params)
{
	p->skel = nlb_bpf__open();
	if (!p->skel) return -errno;
	p->skel->rodata->own4 = params->own4;
	p->skel->rodata->own6 = params->own6;
	p->skel->rodata->hash_seed = params->seed;
	p->skel->rodata->via_peer = params->via_peer;
	int result = bpf_map__set_max_entries(p->skel->maps.tables, (uint32_t)params->n_services);
	return result < 0 ? result : nlb_bpf__load(p->skel);
}

static int map_tables(struct plane *p)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0) return cpus;
	p->per_cpu = calloc((size_t)cpus, sizeof(*p->per_cpu));
	p->slots = map_memory(p->skel->maps.slots);
	p->services = map_memory(p->skel->maps.services);
	p->tables = map_memory(p->skel->maps.tables);
	return p->per_cpu && p->slots && p->services && p->tables ? 0 : -ENOMEM;
}

int plane_load(const struct plane_params *params, struct plane **ret, struct plane_error *error)
{
	struct plane *p = calloc(1, sizeof(*p));
	int result = -ENOMEM;
	const char *what = "allocate memory";

	last_warning[0] = '\0';
	libbpf_set_print(keep_warning);
	if (!p) return failed(error, result, what);
	p->n_services = params->n_services;
	what = "load the load balancer's program";
	if ((result = load(p, params)) < 0) goto fail;
	what = "map the load balancer's tables";
	if ((result = map_tables(p)) < 0) goto fail;
	what = "enter a service (the same address and port twice?)";
	for (size_t i = 0; i < params->n_services; i++)
		if ((result = add_service(p, (uint32_t)i, &params->services[i])) < 0) goto fail;
	*ret = p;
	return 0;
fail:
	failed(error, result, what);
	plane_close(p);
	return result;
}

static int attach(struct plane *p, const char *ifname)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(ifname),
	                    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = plane_program(p), .handle = 1, .priority = 1,
	                    .flags = BPF_TC_F_REPLACE);
	if (hook.ifindex == 0) return -errno;
	int result = bpf_tc_hook_create(&hook);
	if (result < 0 && result != -EEXIST) return result; /* another tool's clsact serves as well */
	return bpf_tc_attach(&hook, &opts);
}

int plane_open(const struct plane_params *params, struct plane **ret, struct plane_error *error)
{
	struct plane *p;
	char what[64];
	int result = plane_load(params, &p, error);

	if (result < 0) return result;
	if ((result = attach(p, params->ifname)) < 0) {
		snprintf(what, sizeof(what), "attach to the tc ingress of '%s'", params->ifname);
		failed(error, result, what);
		plane_close(p);
		return result;
	}
	*ret = p;
	return 0;
}

/* --- use --------------------------------------------------------------------------------------------- */

void plane_set_table(struct plane *p, size_t service, const struct nlb_target *targets, size_t n,
                     const uint16_t *entry)
{
	struct nlb_tables *both = &p->tables[service];
	uint32_t next = both->generation + 1;
	struct nlb_table *t = &both->half[next & 1];

	/* a program that still reads this half began before the last step of the generation, will see that
	 * it has changed, and reads again */
	t->n = (uint32_t)n;
	if (n) {
		memcpy(t->targets, targets, n * sizeof(*targets));
		memcpy(t->entry, entry, sizeof(t->entry));
	}
	__atomic_store_n(&both->generation, next, __ATOMIC_RELEASE);
}

struct nlb_set *plane_slots(struct plane *p)
{
	return p->slots;
}

int plane_counters(struct plane *p, uint64_t total[NLB_COUNTERS])
{
	int cpus = libbpf_num_possible_cpus();

	for (uint32_t i = 0; i < NLB_COUNTERS; i++) {
		int result = bpf_map__lookup_elem(p->skel->maps.counters, &i, sizeof(i), p->per_cpu,
		                                  (size_t)cpus * sizeof(*p->per_cpu), 0);
		if (result < 0) return result;
		total[i] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			total[i] += p->per_cpu[cpu];
	}
	return 0;
}

int plane_program(const struct plane *p)
{
	return bpf_program__fd(p->skel->progs.nlb_ingress);
}

void plane_close(struct plane *p)
{
	if (!p) return;
	if (p->skel) {
		unmap_memory(p->slots, p->skel->maps.slots);
		unmap_memory(p->services, p->skel->maps.services);
		unmap_memory(p->tables, p->skel->maps.tables);
		nlb_bpf__destroy(p->skel);
	}
	free(p->per_cpu);
	free(p);
}
