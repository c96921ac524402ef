/* Cross-checks between the parts of a topology. Messages stand at the value that is wrong: it is looked up
 * again by its path. */
#include "orchestrator/topology/topology_schema.h"
#include "orchestrator/topology/actions.h"
#include "common/cleanup.h"
#include <errno.h>
#include <stdarg.h>

struct check {
	const struct yaml *y;
	const struct yaml_node *root;
	const struct topology *t;
	char **warnings;
};

/* The node at a path, for the message; or the deepest one above it. */
static const struct yaml_node *at(const struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const struct yaml_node *at(const struct check *c, const char *format, ...)
{
	char path[256];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return yaml_nearest(c->root, path);
}

/* Appends one line to the warnings. */
static void warn(const struct check *c, const struct yaml_node *n, const char *message)
{
	struct topology_error line;
	const struct yaml y = { .file = c->y->file, .arena = c->y->arena, .error = &line };
	char *all = NULL;

	if (!c->warnings) return;
	yaml_fail(&y, n, "warning: %s", message);
	if (asprintf(&all, "%s%s\n", *c->warnings ? *c->warnings : "", line.text) < 0) return;
	free(*c->warnings);
	*c->warnings = all;
}

static int unknown(const struct check *c, const struct yaml_node *n, const char *what, const char *word,
                   const char *const *names, size_t count)
{
	char hint[96], list[256] = "";

	schema_hint(word, names, count, hint, sizeof(hint));
	for (size_t i = 0, used = 0; i < count && used < sizeof(list); i++) {
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	return yaml_fail(c->y, n, "no %s '%.60s'%s%s%s%s", what, word, hint,
	                 *hint ? "" : " (there are: ", *hint ? "" : list, *hint ? "" : ")");
}

/* --- names ------------------------------------------------------------------------------------------- */

static bool one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(word, words[i])) return true;
	}
	return false;
}

static bool counted_name(const char *text, const char *stem, size_t stem_len, size_t max)
{
	uint64_t n;

	return !strncmp(text, stem, stem_len) && text[stem_len] == '-' && text[stem_len + 1] != '0' &&
	       schema_count(text + stem_len + 1, &n) && n >= 1 && n <= max;
}

/* The rest of a node's name behind its zone's; NULL if it isn't below that zone. */
static const char *below(const char *text, const char *zone)
{
	size_t len = strlen(zone);

	return !strncmp(text, zone, len) && text[len] == '.' ? text + len + 1 : NULL;
}

static bool client_below(const struct topology *t, const char *rest, const char *zone)
{
	for (size_t i = 0; i < t->n_clients; i++) {
		char name[32];
		snprintf(name, sizeof(name), "client-%zu", i + 1);
		if (!strcmp(name, rest)) return !strcmp(t->clients[i].from, zone);
	}
	return false;
}

bool topology_instance(const struct topology *t, const char *text)
{
	for (size_t z = 0; z < t->n_zones; z++) {
		const char *rest = below(text, t->zones[z]);
		for (size_t s = 0; rest && s < t->n_services; s++) {
			const char *name = t->services[s].name;
			if (counted_name(rest, name, strlen(name), 1000000)) return true;
		}
	}
	return false;
}

static bool in_region(const struct topology *t, const char *name)
{
	static const char *const always[] = { "route53", "network-manager", "az-failover" };
	static const char *const dns[] = { "dns-planner", "dns-operator" };
	static const char *const ec2[] = { "ec2-api", "autoscaler" };

	if (one_of(name, always, ARRAY_SIZE(always))) return true;
	if (t->has_dns_automation && one_of(name, dns, ARRAY_SIZE(dns))) return true;
	if (!t->has_ec2) return false;
	return one_of(name, ec2, ARRAY_SIZE(ec2)) || counted_name(name, "dwfm", 4, t->ec2.dwfm.hosts);
}

static bool in_zone(const struct topology *t, const char *name, const char *zone)
{
	static const char *const always[] = { "nlb", "checker", "resolver" };

	if (one_of(name, always, ARRAY_SIZE(always)) || client_below(t, name, zone)) return true;
	return (t->has_dns_automation && !strcmp(name, "dns-enactor")) ||
	       (t->has_ec2 && !strcmp(name, "droplets"));
}

bool topology_place(const struct topology *t, const char *text)
{
	const char *rest;

	if (!strcmp(text, "internet") || !strcmp(text, "region") || topology_zone(t, text) >= 0) return true;
	if ((rest = below(text, "region"))) return in_region(t, rest);
	if ((rest = below(text, "internet")))
		return !strcmp(rest, "resolver") || client_below(t, rest, "internet");
	for (size_t z = 0; z < t->n_zones; z++) {
		if (!(rest = below(text, t->zones[z]))) continue;
		if (in_zone(t, rest, t->zones[z])) return true;
	}
	return topology_instance(t, text);
}

/* RFC 1035: labels of at most 63 bytes, 253 in all. */
static bool domain_name(const char *name)
{
	char label[64];

	if (strlen(name) > 253) return false;
	while (*name) {
		size_t len = strcspn(name, ".");
		if (len >= sizeof(label)) return false;
		memcpy(label, name, len);
		label[len] = 0;
		if (!schema_label(label, 63)) return false;
		name += len;
		if (!*name) return true;
		name++;
	}
	return false;
}

/* --- the parts --------------------------------------------------------------------------------------- */

static int check_zones(const struct check *c)
{
	static const char *const reserved[] = { "internet", "region", "backbone", "all" };

	for (size_t i = 0; i < c->t->n_zones; i++) {
		if (!one_of(c->t->zones[i], reserved, ARRAY_SIZE(reserved))) continue;
		return yaml_fail(c->y, at(c, "zones.%zu", i),
		                 "'%s' is a name of the lab's own, no zone can have it", c->t->zones[i]);
	}
	return 0;
}

static int check_path(const struct check *c, const struct yaml_node *n, const char *path)
{
	if (path[0] == '/' && strlen(path) < 256 && !strpbrk(path, " \t\r\n")) return 0;
	return yaml_fail(c->y, n, "path: expected a path that begins with /, without blanks, found '%.60s'",
	                 path);
}

static int check_dns(const struct check *c, size_t i)
{
	const struct service_config *s = &c->t->services[i];

	if (!domain_name(s->dns_name)) {
		return yaml_fail(c->y, at(c, "services.%s.dns.name", s->name),
		                 "name: expected a DNS name such as %s.lab, lower case, without a final dot, "
		                 "found '%.60s'",
		                 s->name, s->dns_name);
	}
	for (size_t j = 0; j < i; j++) {
		if (strcmp(s->dns_name, c->t->services[j].dns_name)) continue;
		return yaml_fail(c->y, at(c, "services.%s.dns.name", s->name),
		                 "name: service %s has '%s' already", c->t->services[j].name, s->dns_name);
	}
	if (s->dns_ttl % NS_PER_S) {
		return yaml_fail(c->y, at(c, "services.%s.dns.ttl", s->name),
		                 "ttl: DNS counts whole seconds");
	}
	if (s->dns_negative_ttl % NS_PER_S) {
		return yaml_fail(c->y, at(c, "services.%s.dns.negative_ttl", s->name),
		                 "negative_ttl: DNS counts whole seconds");
	}
	return 0;
}

static void warn_velocity(const struct check *c, const struct service_config *s, size_t stage)
{
	const struct stage_config *v = &s->failover.stages[stage];
	double share = 1.0 / (double)c->t->n_zones;
	char message[256], have[32];

	if (strcmp(v->type->name, "velocity")) return;
	for (size_t i = 0; i < STAGE_PARAMS_MAX && v->type->params[i].key; i++) {
		if (strcmp(v->type->params[i].key, "max_removed") || v->params[i] >= share) continue;
		snprintf(message, sizeof(message),
		         "velocity: max_removed %s is less than one zone's share (%.1f%%): no zone can ever "
		         "be removed",
		         schema_format_fraction(v->params[i], have, sizeof(have)), share * 100);
		warn(c, at(c, "services.%s.failover.stages.%zu.velocity.max_removed", s->name, stage),
		     message);
	}
}

static int check_services(const struct check *c)
{
	for (size_t i = 0; i < c->t->n_services; i++) {
		const struct service_config *s = &c->t->services[i];
		const struct yaml_node *check_at = at(c, "services.%s.health_check.path", s->name);
		int r = check_path(c, check_at, s->health_check.path);
		if (!strcmp(s->name, "client")) {
			return yaml_fail(c->y, at(c, "services.client"),
			                 "no service can be named 'client': client-1 is a client");
		}
		if (r < 0 || (r = check_dns(c, i)) < 0) return r;
		if (s->health_check.timeout > s->health_check.interval) {
			warn(c, at(c, "services.%s.health_check.timeout", s->name),
			     "timeout is longer than the interval: checks of one target overlap");
		}
		for (size_t j = 0; j < s->failover.n_stages; j++)
			warn_velocity(c, s, j);
	}
	return 0;
}

static int check_clients(const struct check *c)
{
	const char *services[TOPOLOGY_SERVICES_MAX], *places[TOPOLOGY_ZONES_MAX + 1] = { "internet" };

	for (size_t i = 0; i < c->t->n_services; i++)
		services[i] = c->t->services[i].name;
	for (size_t i = 0; i < c->t->n_zones; i++)
		places[i + 1] = c->t->zones[i];
	for (size_t i = 0; i < c->t->n_clients; i++) {
		const struct client_config *client = &c->t->clients[i];
		int r = check_path(c, at(c, "clients.%zu.path", i), client->path);
		if (r < 0) return r;
		if (!one_of(client->from, places, c->t->n_zones + 1)) {
			return unknown(c, at(c, "clients.%zu.from", i), "zone", client->from, places,
			               c->t->n_zones + 1);
		}
		if (topology_service(c->t, client->to) < 0) {
			return unknown(c, at(c, "clients.%zu.to", i), "service", client->to, services,
			               c->t->n_services);
		}
	}
	return 0;
}

static int check_fault(const struct check *c, const struct fault_config *f)
{
	const char *ends[] = { f->from, f->to }, *keys[] = { "from", "to" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (!ends[i] || topology_place(c->t, ends[i])) continue;
		return yaml_fail(c->y, at(c, "faults.%s.%s", f->name, keys[i]),
		                 "%s: expected a zone, a node, internet or region, found '%.60s'", keys[i],
		                 ends[i]);
	}
	if (f->drop > 0 && f->drop_every > 0) {
		return yaml_fail(c->y, at(c, "faults.%s.drop_every", f->name),
		                 "drop_every: can't stand beside drop");
	}
	if (!f->on_for != !f->off_for) {
		return yaml_fail(c->y, at(c, "faults.%s.%s", f->name, f->on_for ? "on_for" : "off_for"),
		                 "a duty cycle needs both on_for and off_for");
	}
	if (f->drop == 0 && !f->drop_every && !f->delay && !f->jitter && f->rate == 0 && f->duplicate == 0 &&
	    f->reorder == 0 && f->corrupt == 0 && !f->reject) {
		return yaml_fail(c->y, at(c, "faults.%s", f->name),
		                 "fault %s does nothing: expected drop, delay, rate, duplicate, reorder, "
		                 "corrupt or reject",
		                 f->name);
	}
	return 0;
}

static int check_phases(const struct check *c)
{
	for (size_t i = 0; i < c->t->n_phases; i++) {
		const struct phase_config *p = &c->t->phases[i];
		if (i > 0 && p->at < p[-1].at) {
			return yaml_fail(c->y, at(c, "scenario.%zu.at", i),
			                 "at: before the phase above, '%s'", p[-1].name);
		}
		for (size_t j = 0; j < i; j++) {
			if (strcmp(p->name, c->t->phases[j].name)) continue;
			return yaml_fail(c->y, at(c, "scenario.%zu.phase", i),
			                 "phase: '%s' stands above already", p->name);
		}
		if (i + 1 == c->t->n_phases && p->n_actions > 0) {
			return yaml_fail(c->y, at(c, "scenario.%zu.do", i),
			                 "do: the last entry only ends the run");
		}
	}
	return 0;
}

static int check_expects(const struct check *c)
{
	const char *names[256];
	size_t n =
	    c->t->n_phases ? c->t->n_phases - 1 : 0; /* the last one ends the run, nothing happens in it */

	for (size_t i = 0; i < n; i++)
		names[i] = c->t->phases[i].name;
	for (size_t i = 0; i < c->t->n_expects; i++) {
		const char *phase = c->t->expects[i].phase;
		if (!phase || one_of(phase, names, n)) continue;
		return unknown(c, at(c, "expect.%zu.in", i), "phase", phase, names, n);
	}
	return 0;
}

int topology_check(const struct yaml *y, const struct yaml_node *root, const struct topology *t,
                   char **warnings)
{
	const struct check c = { .y = y, .root = root, .t = t, .warnings = warnings };
	int r = check_zones(&c);

	if (r == 0) r = check_services(&c);
	if (r == 0) r = check_clients(&c);
	if (r == 0) r = topology_check_dns_automation(y, root, t);
	for (size_t i = 0; r == 0 && i < t->n_faults; i++)
		r = check_fault(&c, &t->faults[i]);
	if (r == 0) r = topology_check_ec2(y, root, t);
	if (r == 0) r = check_phases(&c);
	return r == 0 ? check_expects(&c) : r;
}

int topology_check_actions(const struct yaml *y, const struct yaml_node *root, const struct topology *t)
{
	const struct check c = { .y = y, .root = root, .t = t };
	char error[1024];

	for (size_t i = 0; i < t->n_phases; i++) {
		for (size_t j = 0; j < t->phases[i].n_actions; j++) {
			if (action_check(t, t->phases[i].actions[j], error, sizeof(error)) == 0) continue;
			return yaml_fail(y, at(&c, "scenario.%zu.do.%zu", i, j), "%s", error);
		}
	}
	return 0;
}
