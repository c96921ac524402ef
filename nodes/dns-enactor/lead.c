#include "dns-enactor/enactor.h"
#include <errno.h>
#include <stdlib.h>

/* Nothing here is a fence: who finds that it leads may still be late with what it does then. */
struct errand {
	struct dne *enactor;
	dne_step *step, *otherwise;
};

static void on_taken(enum dns_status status, void *arg)
{
	struct errand *e = arg;
	struct dne *d = e->enactor;

	dne_go_on(d, status == DNS_OK ? e->step : e->otherwise);
	free(e);
}

static void take(struct errand *e, const char *value)
{
	struct dne *d = e->enactor;
	int64_t until_ms = dne_until_ms(d, d->config.knobs.leader_lease);
	int r = dns_talk_update(d->talk, dne_lead(&d->config, value, until_ms), DNS_ONCE, on_taken, e);

	if (r == 0) return;
	free(e);
	dne_stumble(d, r);
}

static void on_leader(const struct dns_rrset *sets, size_t n, void *arg)
{
	const char *value = dns_rrset_value(&sets[0]);
	struct errand *e = arg;
	struct dne *d = e->enactor;
	int leads = dne_leads(&d->config, value, wall_ms());

	(void)n;
	if (leads == 0) {
		take(e, value);
		return;
	}
	dne_go_on(d, leads > 0 ? e->step : e->otherwise);
	free(e);
}

void dne_lead_then(struct dne *d, dne_step *step, dne_step *otherwise)
{
	struct dns_rrset leader = { .owner = dns_name_leader(d->config.zone), .type = "TXT" };

	if (!d->config.knobs.leader) {
		step(d);
		return;
	}
	struct errand *e = malloc(sizeof(*e));
	if (e) *e = (struct errand){ d, step, otherwise };
	int r = e ? dns_talk_read(d->talk, &leader, 1, on_leader, e) : -ENOMEM;
	if (r == 0) return;
	free(e);
	dne_stumble(d, r);
}
