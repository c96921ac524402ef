#include "orchestrator/topology/actions.h"
#include "orchestrator/topology/actions_verbs.h"
#include "orchestrator/topology/topology_schema.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdarg.h>

int action_refuse(const struct action *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(a->error, a->size, format, args);
	va_end(args);
	return -EINVAL;
}

/* --- words ------------------------------------------------------------------------------------------- */

/* Copies one word; returns what follows it, or NULL for a quote that never closes. */
static const char *copy_word(const char *in, char **out)
{
	char quote = 0;

	for (; *in && (quote || !strchr(" \t", *in)); in++) {
		if (quote ? *in == quote : *in == '"' || *in == '\'') {
			quote = quote ? 0 : *in;
		} else {
			if (*in == '\\' && quote != '\'' && in[1]) in++;
			*(*out)++ = *in;
		}
	}
	*(*out)++ = 0;
	return quote ? NULL : in;
}

int action_split(const char *line, struct action_words *ret, char *error, size_t size)
{
	char *out = ret->text;
	const struct action a = { .error = error, .size = size };

	ret->argc = 0;
	ret->argv[0] = NULL;
	if (strlen(line) >= sizeof(ret->text))
		return action_refuse(&a, "a command of more than %d bytes", ACTION_LINE_MAX - 1);
	for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
		if (ret->argc == ACTION_WORDS_MAX)
			return action_refuse(&a, "a command of more than %d words", ACTION_WORDS_MAX);
		ret->argv[ret->argc++] = out;
		ret->argv[ret->argc] = NULL;
		line = copy_word(line, &out);
		if (!line) return action_refuse(&a, "a quote that never closes");
	}
	return 0;
}

/* --- verbs ------------------------------------------------------------------------------------------- */

static size_t verb_names(const struct action_verb *verbs, const char **names)
{
	size_t n = 0;
	for (; verbs[n].name; n++)
		names[n] = verbs[n].name;
	return n;
}

int action_verb(const struct action *a, const struct action_verb *verbs, const char *what)
{
	const char *names[16] = { 0 };
	size_t n = verb_names(verbs, names);
	char hint[96], list[256] = "";

	for (size_t i = 0, used = 0; i < n && used < sizeof(list); i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	if (a->argc == 0) return action_refuse(a, "expected a %s: %s", what, list);
	for (const struct action_verb *v = verbs; v->name; v++) {
		struct action rest = { a->t, a->argc - 1, a->argv + 1, a->error, a->size };
		if (strcmp(v->name, a->argv[0])) continue;
		int r = v->check(&rest);
		return r == ACTION_MISUSED ? action_refuse(a, "expected: %s", v->usage) : r;
	}
	schema_hint(a->argv[0], names, n, hint, sizeof(hint));
	return action_refuse(a, "unknown %s '%.60s'%s (there are: %s)", what, a->argv[0], hint, list);
}

int action_no_words(const struct action *a)
{
	return a->argc == 0 ? 0 : ACTION_MISUSED;
}

int action_try_sets(const struct action *a, const char *const *sets, size_t n)
{
	struct topology_error error;

	return topology_try(a->t, sets, n, &error) < 0 ? action_refuse(a, "%s", error.text) : 0;
}

int action_try_sets_below(const struct action *a, const char *above, size_t first)
{
	char *sets[ACTION_WORDS_MAX] = { 0 };
	size_t n = 0;
	int r = 0;

	for (size_t i = first; r == 0 && i < a->argc && n < ARRAY_SIZE(sets); i++, n++) {
		if (!strchr(a->argv[i], '='))
			r = ACTION_MISUSED;
		else if (asprintf(&sets[n], "%s.%s", above, a->argv[i]) < 0)
			r = -ENOMEM;
	}
	if (r == 0) r = action_try_sets(a, (const char *const *)sets, n);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		free(sets[i]);
	return r;
}

static int check_fault_name(const struct action *a)
{
	const char *names[64] = { 0 };
	char hint[96];

	if (a->argc == 0) return ACTION_MISUSED;
	if (topology_fault(a->t, a->argv[0]) >= 0) return 0;
	for (size_t i = 0; i < a->t->n_faults; i++)
		names[i] = a->t->faults[i].name;
	schema_hint(a->argv[0], names, a->t->n_faults, hint, sizeof(hint));
	return action_refuse(a, "no fault '%.60s'%s", a->argv[0], hint);
}

static int fault_switch(const struct action *a)
{
	return a->argc == 1 ? check_fault_name(a) : ACTION_MISUSED;
}

/* "NAME key=value...", all at once: a fault may need several to make sense. */
static int fault_set(const struct action *a)
{
	char above[sizeof("faults.") + ACTION_LINE_MAX];
	int r = a->argc > 1 ? check_fault_name(a) : ACTION_MISUSED;

	if (r < 0) return r;
	snprintf(above, sizeof(above), "faults.%s", a->argv[0]);
	return action_try_sets_below(a, above, 1);
}

static int check_fault(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "list", "fault list", action_no_words },
		{ "on", "fault on NAME", fault_switch },
		{ "off", "fault off NAME", fault_switch },
		{ "set", "fault set NAME key=value...", fault_set },
		{ 0 },
	};
	return action_verb(a, verbs, "fault command");
}

static int failover_rate_limit(const struct action *a)
{
	return a->argc == 1 && (!strcmp(a->argv[0], "on") || !strcmp(a->argv[0], "off")) ? 0 : ACTION_MISUSED;
}

/* Gives key=value to every stage of the chain that has the key. */
static int policy_parameter(const struct action *a, const char *word, struct stage_config *stages, size_t n)
{
	const char *equals = strchr(word, '=');
	char key[64];
	bool taken = false;

	if (!equals || equals - word >= (ptrdiff_t)sizeof(key)) return ACTION_MISUSED;
	snprintf(key, sizeof(key), "%.*s", (int)(equals - word), word);
	for (size_t i = 0; i < n; i++) {
		bool has = false;
		for (size_t j = 0; j < STAGE_PARAMS_MAX && stages[i].type->params[j].key; j++) {
			has |= !strcmp(stages[i].type->params[j].key, key);
		}
		if (!has) continue;
		int r = topology_stage_set(&stages[i], key, equals + 1, a->error, a->size);
		if (r < 0) return r;
		taken = true;
	}
	return taken ? 0 : action_refuse(a, "no stage of this policy has a parameter '%s'", key);
}

static int policy(const struct action *a, struct stage_config *stages, size_t *ret_n)
{
	char names[ACTION_LINE_MAX], *rest = names, *name;
	size_t n = 0;
	int r = 0;

	if (a->argc == 0 || strlen(a->argv[0]) >= sizeof(names)) return ACTION_MISUSED;
	strcpy(names, a->argv[0]);
	while ((name = strsep(&rest, ","))) {
		if (n == TOPOLOGY_STAGES_MAX)
			return action_refuse(a, "more than %d stages", TOPOLOGY_STAGES_MAX);
		if (!topology_stage_init(&stages[n++], name))
			return action_refuse(a, "unknown stage '%.60s'", name);
	}
	for (size_t i = 1; r == 0 && i < a->argc; i++)
		r = policy_parameter(a, a->argv[i], stages, n);
	*ret_n = n;
	return r;
}

static const char policy_usage[] = "failover policy STAGE[,STAGE...] [key=value...]";

int action_policy(size_t argc, char *const *argv, struct stage_config *ret, size_t *ret_n, char *error,
                  size_t size)
{
	const struct action a = { .argc = argc, .argv = argv, .error = error, .size = size };
	int r = policy(&a, ret, ret_n);

	return r == ACTION_MISUSED ? action_refuse(&a, "expected: %s", policy_usage) : r;
}

static int failover_policy(const struct action *a)
{
	struct stage_config stages[TOPOLOGY_STAGES_MAX];
	size_t n;

	return policy(a, stages, &n);
}

static int check_failover(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "status", "failover status", action_no_words },
		{ "enable", "failover enable", action_no_words },
		{ "disable", "failover disable", action_no_words },
		{ "rate-limit", "failover rate-limit on|off", failover_rate_limit },
		{ "policy", policy_usage, failover_policy },
		{ 0 },
	};
	return action_verb(a, verbs, "failover command");
}

static const char launch_usage[] = "instance launch|replace [SERVICE] ZONE [N]";

/* [SERVICE] ZONE [N]: with one or two words the first is a zone, if it is one. */
static int launch(const struct action *a, struct action_launch *ret)
{
	size_t used = 0;
	uint64_t n = 1;

	if (a->argc == 0 || a->argc > 3) return ACTION_MISUSED;
	ret->service = a->argc > 1 ? topology_service(a->t, a->argv[0]) : -ENOENT;
	if (ret->service >= 0 && topology_zone(a->t, a->argv[1]) >= 0) {
		used = 1;
	} else {
		if (a->argc == 3)
			return action_refuse(a, "no service '%.60s' or no zone '%.60s'", a->argv[0],
			                     a->argv[1]);
		if (a->t->n_services > 1)
			return action_refuse(a, "which service? expected: %s", launch_usage);
		ret->service = 0;
	}
	ret->zone = topology_zone(a->t, a->argv[used]);
	if (ret->zone < 0) return action_refuse(a, "no zone '%.60s'", a->argv[used]);
	if (++used < a->argc && (!schema_count(a->argv[used++], &n) || n < 1 || n > TOPOLOGY_TARGETS_MAX)) {
		return action_refuse(a, "expected 1 to %d instances, found '%.60s'", TOPOLOGY_TARGETS_MAX,
		                     a->argv[used - 1]);
	}
	ret->n = (unsigned)n;
	return used == a->argc ? 0 : ACTION_MISUSED;
}

int action_launch(const struct topology *t, size_t argc, char *const *argv, struct action_launch *ret,
                  char *error, size_t size)
{
	const struct action a = { t, argc, argv, error, size };
	int r = launch(&a, ret);

	return r == ACTION_MISUSED ? action_refuse(&a, "expected: %s", launch_usage) : r;
}

static int instance_launch(const struct action *a)
{
	struct action_launch parsed;
	return launch(a, &parsed);
}

static int instance_node(const struct action *a)
{
	if (a->argc != 1) return ACTION_MISUSED;
	return topology_instance(a->t, a->argv[0])
	           ? 0
	           : action_refuse(a, "expected an instance such as az1.shop-1, found '%.60s'", a->argv[0]);
}

static int any_node(const struct action *a)
{
	if (a->argc != 1) return ACTION_MISUSED;
	if (strchr(a->argv[0], '.') && topology_place(a->t, a->argv[0])) return 0;
	return action_refuse(a, "expected a node such as az1.shop-1, found '%.60s'", a->argv[0]);
}

static int check_instance(const struct action *a)
{
	static const struct action_verb verbs[] = {
		{ "launch", launch_usage, instance_launch },
		{ "replace", launch_usage, instance_launch },
		{ "terminate", "instance terminate NODE", instance_node },
		{ "kill", "instance kill NODE", any_node },
		{ "pause", "instance pause NODE", any_node },
		{ "resume", "instance resume NODE", any_node },
		{ "restart", "instance restart NODE", any_node },
		{ 0 },
	};
	return action_verb(a, verbs, "instance command");
}

static int check_set(const struct action *a)
{
	for (size_t i = 0; i < a->argc; i++) {
		if (!strchr(a->argv[i], '=')) return ACTION_MISUSED;
	}
	return a->argc ? action_try_sets(a, (const char *const *)a->argv, a->argc) : ACTION_MISUSED;
}

static int check_exec(const struct action *a)
{
	if (a->argc < 3 || strcmp(a->argv[1], "--")) return ACTION_MISUSED;
	if (topology_place(a->t, a->argv[0]) || !strcmp(a->argv[0], "backbone")) return 0;
	return action_refuse(a, "no node '%.60s'", a->argv[0]);
}

int action_check_words(const struct topology *t, size_t argc, char *const *argv, char *error, size_t size)
{
	static const struct action_verb verbs[] = {
		{ "fault", "", check_fault },
		{ "failover", "", check_failover },
		{ "instance", "", check_instance },
		{ "set", "set PATH=VALUE..., such as set clients.0.rate=288/s", check_set },
		{ "exec", "exec NODE -- COMMAND...", check_exec },
		{ "dns", "", action_dns },
		{ "ec2", "", action_ec2 },
		{ "dwfm", "", action_dwfm },
		{ 0 },
	};
	const struct action a = { t, argc, argv, error, size };
	return action_verb(&a, verbs, "command");
}

int action_check(const struct topology *t, const char *line, char *error, size_t size)
{
	struct action_words words;
	int r = action_split(line, &words, error, size);

	return r < 0 ? r : action_check_words(t, words.argc, words.argv, error, size);
}
