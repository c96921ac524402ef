#include "nlb/plane_missing.h"
#include "common/cleanup.h"
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

static const struct {
	cap_value_t cap;
	const char *name;
} capabilities[] = { { CAP_BPF, "CAP_BPF" },
	             { CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	             { CAP_PERFMON, "CAP_PERFMON" } };

static const struct {
	enum bpf_func_id id;
	const char *name;
} helpers[] = {
	{ BPF_FUNC_redirect_peer, "BPF helper redirect_peer (Linux 5.10)" },
	{ BPF_FUNC_ktime_get_coarse_ns, "BPF helper ktime_get_coarse_ns (Linux 5.11)" },
};

static void add(char *text, size_t size, const char *what)
{
	size_t used = strlen(text);
	snprintf(text + used, size - used, "%s%s", used ? ", " : "", what);
}

static bool has_capability(cap_value_t cap)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps) cap_get_flag(caps, cap, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

void plane_missing(char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (!has_capability(capabilities[i].cap)) add(text, size, capabilities[i].name);
	if (text[0]) return; /* without them the kernel doesn't tell what it has */
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) == 0)
		add(text, size, "BPF programs on tc (CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF)");
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helpers[i].id, NULL) == 0)
			add(text, size, helpers[i].name);
}
