#include "az-failover/answer.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { A, AAAA, FAMILIES, VALUES_MAX = 4 * STAGE_ZONES_MAX };

static const char *const type_names[FAMILIES] = { [A] = "A", [AAAA] = "AAAA" };
static const mono_ns PATIENCE = 3 * NS_PER_S, FIRST_PAUSE = 250 * NS_PER_MS, LONGEST_PAUSE = 4 * NS_PER_S;

enum doing { NOTHING, READING, UPDATING, PAUSING };

/* An RRset's values, sorted. */
struct values {
	size_t n;
	char text[VALUES_MAX][INET6_ADDRSTRLEN];
};
struct azf_answer {
	struct dns_client *client;
	struct azf_service_config config;
	azf_answer_changed *changed;
	void *arg;
	enum doing doing;
	bool known; /* there holds what the server has, as far as we know */
	struct values there[FAMILIES], sent[FAMILIES];
	zone_set current, wish, sent_zones;
	mono_ns wished_at, sent_wished_at;
	uint32_t ttl_there, sent_ttl; /* of the records as we last wrote them */
	struct event *pause_timer;
	mono_ns pause;
	enum dns_status complaint; /* last one logged, DNS_OK if none */
};

static void step(struct azf_answer *a);

/* --- values ------------------------------------------------------------------------------------------ */

static const char *zonal_text(const struct azf_answer *a, unsigned zone, int family)
{
	return family == A ? a->config.zonal[zone].v4 : a->config.zonal[zone].v6;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(x, y);
}

static void values_of(const struct azf_answer *a, zone_set zones, int family, struct values *ret)
{
	ret->n = 0;
	for (unsigned z = 0; z < a->config.policy.zones; z++)
		if (zones >> z & 1) strcpy(ret->text[ret->n++], zonal_text(a, z, family));
	qsort(ret->text, ret->n, sizeof(ret->text[0]), by_text);
}

static bool contains(const struct values *v, const char *text)
{
	return v->n && bsearch(text, v->text, v->n, sizeof(v->text[0]), by_text);
}

/* Zones of which an address is there, in either family. */
static zone_set zones_there(const struct azf_answer *a)
{
	zone_set zones = 0;

	for (unsigned z = 0; z < a->config.policy.zones; z++)
		for (int f = 0; f < FAMILIES; f++)
			if (contains(&a->there[f], zonal_text(a, z, f))) zones |= UINT64_C(1) << z;
	return zones;
}

static bool same_values(const struct values *x, const struct values *y)
{
	if (x->n != y->n) return false;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->text[i], y->text[i])) return false;
	return true;
}

static bool is_there(const struct azf_answer *a, zone_set zones)
{
	struct values wanted;

	for (int f = 0; f < FAMILIES; f++) {
		values_of(a, zones, f, &wanted);
		if (!same_values(&wanted, &a->there[f])) return false;
	}
	return true;
}

/* --- when the server doesn't want ------------------------------------------------------------------- */

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct azf_answer *a = arg;

	(void)fd, (void)what;
	a->doing = NOTHING;
	step(a);
}

/* A line when the reason changes, not for each attempt. */
static void complain(struct azf_answer *a, enum dns_status status)
{
	if (a->complaint == status) return;
	a->complaint = status;
	log_line("%s: waiting for the DNS server to take the answer: %s", a->config.dns_name,
	         dns_status_text(status));
}

static void content(struct azf_answer *a)
{
	if (a->complaint != DNS_OK) log_line("%s: the DNS server answers again", a->config.dns_name);
	a->complaint = DNS_OK;
	a->pause = FIRST_PAUSE;
}

static void pause_for(struct azf_answer *a, enum dns_status status)
{
	complain(a, status);
	a->doing = PAUSING;
	timer_after(a->pause_timer, a->pause);
	a->pause = a->pause * 2 < LONGEST_PAUSE ? a->pause * 2 : LONGEST_PAUSE;
}

/* Asking for something failed here, before anything was sent. */
static void failed_to_ask(struct azf_answer *a, int error)
{
	log_errno(error, "%s: cannot ask the DNS server, trying again", a->config.dns_name);
	pause_for(a, DNS_OTHER);
}

/* --- reading ----------------------------------------------------------------------------------------- */

static void acknowledged(struct azf_answer *a, zone_set zones, mono_ns wished_at)
{
	zone_set before = a->current;

	a->current = zones;
	if (before != zones) a->changed(a->arg, before, zones, mono_now() - wished_at);
}

static void take_reading(struct azf_answer *a)
{
	bool first = !a->known;

	a->known = true;
	a->doing = NOTHING;
	content(a);
	if (first) a->current = zones_there(a);
	/* an update whose acknowledgement was lost had been carried out after all */
	else if (is_there(a, a->sent_zones))
		acknowledged(a, a->sent_zones, a->sent_wished_at);
	step(a);
}

static bool take_values(struct values *to, const struct dns_answer *answer)
{
	to->n = 0;
	for (size_t i = 0; i < answer->n; i++) {
		if (i == VALUES_MAX || strlen(answer->rdata[i]) >= sizeof(to->text[0])) return false;
		strcpy(to->text[to->n++], answer->rdata[i]);
	}
	return true;
}

static bool reading_came(struct azf_answer *a, int family, const struct dns_answer *answer)
{
	enum dns_status status = answer->status;

	/* no such name: no addresses either */
	if ((status == DNS_OK || status == DNS_NO_NAME) && take_values(&a->there[family], answer))
		return true;
	pause_for(a, status == DNS_OK ? DNS_OTHER : status);
	return false;
}

static void on_read_aaaa(const struct dns_answer *answer, void *arg)
{
	if (reading_came(arg, AAAA, answer)) take_reading(arg);
}

static void on_read_a(const struct dns_answer *answer, void *arg)
{
	struct azf_answer *a = arg;

	if (!reading_came(a, A, answer)) return;
	int r = dns_client_query(a->client, a->config.dns_name, type_names[AAAA], PATIENCE, on_read_aaaa, a);
	if (r < 0) failed_to_ask(a, r);
}

static void read_back(struct azf_answer *a)
{
	int r = dns_client_query(a->client, a->config.dns_name, type_names[A], PATIENCE, on_read_a, a);

	a->doing = READING;
	if (r < 0) failed_to_ask(a, r);
}

/* --- updating ---------------------------------------------------------------------------------------- */

static void on_updated(const struct dns_answer *answer, void *arg)
{
	struct azf_answer *a = arg;

	a->doing = NOTHING;
	switch (answer->status) {
	case DNS_OK:
		content(a);
		memcpy(a->there, a->sent, sizeof(a->there));
		a->ttl_there = a->sent_ttl;
		acknowledged(a, a->sent_zones, a->sent_wished_at);
		step(a);
		break;
	case DNS_PREREQUISITE: /* not what we took it for */
		read_back(a);
		break;
	case DNS_TIMED_OUT: /* carried out or not: look */
		complain(a, DNS_TIMED_OUT);
		read_back(a);
		break;
	default:
		pause_for(a, answer->status);
	}
}

static void replace(struct azf_answer *a, struct dns_update *u, int family)
{
	const struct values *old = &a->there[family], *new = &a->sent[family];
	const char *name = a->config.dns_name, *type = type_names[family], *required[VALUES_MAX];

	for (size_t i = 0; i < old->n; i++)
		required[i] = old->text[i];
	dns_require_rrset(u, name, type, required, old->n);
	dns_delete_rrset(u, name, type);
	for (size_t i = 0; i < new->n; i++)
		dns_add_record(u, name, type, a->config.ttl_s, new->text[i]);
}

static void send_wish(struct azf_answer *a)
{
	struct dns_update *u = dns_update_new(a->config.dns_name);
	int r = u ? 0 : -ENOMEM;

	for (int f = 0; f < FAMILIES && u; f++) {
		values_of(a, a->wish, f, &a->sent[f]);
		replace(a, u, f);
	}
	a->sent_zones = a->wish;
	a->sent_wished_at = a->wished_at;
	a->sent_ttl = a->config.ttl_s;
	a->doing = UPDATING;
	if (r == 0) r = dns_client_update(a->client, u, PATIENCE, on_updated, a);
	if (r < 0) failed_to_ask(a, r);
	dns_update_free(u);
}

/* Does what is next, if nothing is under way. */
static void step(struct azf_answer *a)
{
	if (a->doing != NOTHING) return;
	if (!a->known)
		read_back(a);
	else if (a->ttl_there != a->config.ttl_s || !is_there(a, a->wish))
		send_wish(a);
	else
		acknowledged(a, a->wish, a->wished_at);
}

/* --- for the service --------------------------------------------------------------------------------- */

int azf_answer_new(struct event_base *base, struct dns_client *client,
                   const struct azf_service_config *config, azf_answer_changed *changed, void *arg,
                   struct azf_answer **ret)
{
	struct azf_answer *a = calloc(1, sizeof(*a));

	if (!a) return -ENOMEM;
	*a = (struct azf_answer){ .client = client, .config = *config, .changed = changed, .arg = arg };
	a->pause = FIRST_PAUSE;
	a->ttl_there = config->ttl_s;
	a->wish = a->current = ~UINT64_C(0) >> (64 - config->policy.zones);
	a->wished_at = mono_now();
	a->pause_timer = evtimer_new(base, on_pause_over, a);
	if (!a->pause_timer) {
		free(a);
		return -ENOMEM;
	}
	*ret = a;
	step(a);
	return 0;
}

void azf_answer_free(struct azf_answer *a)
{
	if (!a) return;
	event_free(a->pause_timer);
	free(a);
}

void azf_answer_wish(struct azf_answer *a, zone_set zones, mono_ns now)
{
	if (zones == a->wish) return;
	a->wish = zones;
	a->wished_at = now;
	step(a);
}

void azf_answer_set_ttl(struct azf_answer *a, uint32_t ttl_s)
{
	a->config.ttl_s = ttl_s;
	step(a);
}

bool azf_answer_known(const struct azf_answer *a)
{
	return a->known;
}

zone_set azf_answer_current(const struct azf_answer *a)
{
	return a->current;
}
