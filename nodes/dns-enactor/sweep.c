#include "dns-enactor/sweep.h"
#include "common/cleanup.h"
#include "common/log.h"
#include <errno.h>
#include <string.h>

struct dne_sweep {
	struct dns_talk *talk;
	const struct dne_config *config;
	const struct dns_plan *own;
	struct dne_sweep_calls calls;
	struct dne_victim *victims;
	size_t n_victims, at;
	struct dne_felling felling;
	char (*roots)[DNS_NAME_TEXT_MAX]; /* never-active: of each endpoint, as read */
	struct dns_update *last;
	unsigned in_flight;
};

static void next_victim(struct dne_sweep *s);

static void finish(struct dne_sweep *s)
{
	struct dne_sweep_calls calls = s->calls;

	free(s->victims);
	free(s->roots);
	free(s);
	calls.done(calls.arg);
}

/* What can't even be sent for want of memory ends the clean-up: the next one does it. */
static void give_up(struct dne_sweep *s, int error)
{
	log_errno(error, "cannot go on cleaning up");
	if (s->in_flight == 0) finish(s);
}

/* --- deleting ---------------------------------------------------------------------------------------- */

/* never-active: whatever is deleted, no root has come to point to the tree since they were read. */
static void guard(struct dne_sweep *s, struct dns_update *u)
{
	for (size_t i = 0; s->roots && i < s->own->n_endpoints; i++) {
		struct dns_name owner = dns_name_endpoint(s->own->endpoints[i].name, s->own->zone);
		const char *value = s->roots[i];
		dns_require_rrset(u, owner.text, "CNAME", &value, *value ? 1 : 0);
	}
}

static void on_last(enum dns_status status, void *arg)
{
	struct dne_sweep *s = arg;

	if (status == DNS_OK) s->calls.cleaned(&s->victims[s->at], s->calls.arg);
	s->at++;
	next_victim(s);
}

static void send_more(struct dne_sweep *s);

/* A prerequisite that failed: the last message will find the same, and leave the tree. */
static void on_part(enum dns_status status, void *arg)
{
	struct dne_sweep *s = arg;

	(void)status;
	s->in_flight--;
	send_more(s);
}

static void send_more(struct dne_sweep *s)
{
	int r = 0;

	while (r == 0 && !s->last && s->in_flight < DNS_REQUESTS_MAX) {
		bool last;
		struct dns_update *u = dne_fell_next(&s->felling, &last);
		if (u) guard(s, u);
		if (last || !u) {
			s->last = u;
			break;
		}
		r = dns_talk_update(s->talk, u, DNS_INSIST, on_part, s);
		if (r == 0) s->in_flight++;
	}
	if (s->in_flight > 0) return;
	r = dns_talk_update(s->talk, take_ptr(s->last), DNS_INSIST, on_last, s);
	if (r < 0) give_up(s, r);
}

/* --- never-active ------------------------------------------------------------------------------------ */

static bool points_to(const char *root, const char *zone, const char *tree)
{
	char there[DNS_TREE_LEN + 1];
	enum dns_variant variant;

	return dns_top_parse(root, zone, &variant, there) == 0 && strcmp(there, tree) == 0;
}

static void on_roots(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne_sweep *s = arg;
	bool active = false;

	for (size_t i = 0; i < n; i++) {
		const char *root = dns_rrset_value(&sets[i]);
		snprintf(s->roots[i], sizeof(s->roots[i]), "%s", root);
		active = active || points_to(root, s->own->zone, s->victims[s->at].tree);
	}
	if (!active) {
		send_more(s);
		return;
	}
	s->at++;
	next_victim(s);
}

static int read_roots(struct dne_sweep *s)
{
	size_t n = s->own->n_endpoints;
	cleanup_free struct dns_rrset *sets = calloc(n, sizeof(*sets));

	if (!s->roots) s->roots = calloc(n, sizeof(*s->roots));
	if (!sets || !s->roots) return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sets[i] =
		    (struct dns_rrset){ .owner = dns_name_endpoint(s->own->endpoints[i].name, s->own->zone),
			                .type = "CNAME" };
	return dns_talk_read(s->talk, sets, n, on_roots, s);
}

/* --- one tree ---------------------------------------------------------------------------------------- */

static int probe(struct dne_sweep *s);

static void on_probe(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne_sweep *s = arg;
	int r = 0;

	(void)n;
	if (dne_fell_answers(&s->felling, sets) > 0)
		r = probe(s);
	else if (s->config->knobs.cleanup == DNE_CLEANUP_NEVER_ACTIVE)
		r = read_roots(s);
	else
		send_more(s);
	if (r < 0) give_up(s, r);
}

static int probe(struct dne_sweep *s)
{
	struct dns_rrset sets[DNE_PROBE_QUESTIONS_MAX];

	return dns_talk_read(s->talk, sets, dne_fell_questions(&s->felling, sets), on_probe, s);
}

static void next_victim(struct dne_sweep *s)
{
	int r;

	if (s->at == s->n_victims) {
		finish(s);
		return;
	}
	/* the guard may have been switched since the tree before */
	if (s->config->knobs.cleanup != DNE_CLEANUP_NEVER_ACTIVE) free(take_ptr(s->roots));
	dne_fell_begin(&s->felling, &s->victims[s->at], s->own->zone);
	if ((r = probe(s)) < 0) give_up(s, r);
}

static void on_index(const struct dns_rrset *sets, size_t n, void *arg)
{
	struct dne_sweep *s = arg;
	int r = dne_victims(&sets[0], s->own, s->config->knobs.keep, &s->victims, &s->n_victims);

	(void)n;
	if (r < 0)
		give_up(s, r);
	else
		next_victim(s);
}

int dne_sweep(struct dns_talk *t, const struct dne_config *config, const struct dns_plan *own,
              const struct dne_sweep_calls *calls)
{
	struct dns_rrset index = { .owner = dns_name_index(own->zone), .type = "TXT" };
	struct dne_sweep *s = calloc(1, sizeof(*s));

	if (!s) return -ENOMEM;
	*s = (struct dne_sweep){ .talk = t, .config = config, .own = own, .calls = *calls };
	int r = dns_talk_read(t, &index, 1, on_index, s);
	if (r < 0) free(s);
	return r;
}
