#include "common/dns_talk.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

static const mono_ns PATIENCE = 3 * NS_PER_S, FIRST_PAUSE = 250 * NS_PER_MS, LONGEST_PAUSE = 4 * NS_PER_S;

struct reading {
	LIST_ENTRY(reading) link;
	struct dns_rrset *sets;
	size_t n, missing;
	dns_talk_read_done *done;
	void *arg;
};
/* A question or a transaction. */
struct job {
	TAILQ_ENTRY(job) link;
	struct dns_talk *talk;
	struct reading *reading; /* a question for its set */
	struct dns_rrset *set;
	struct dns_update *update; /* else a transaction */
	enum dns_insistence insistence;
	dns_talk_update_done *done;
	void *arg;
};
TAILQ_HEAD(jobs, job);

struct dns_talk {
	struct dns_client *client;
	struct event *wake; /* sends what is queued, at once or after a pause */
	struct jobs queued, flying;
	LIST_HEAD(, reading) readings;
	mono_ns pause;
	bool pausing;
	enum dns_status complaint; /* DNS_OK: all is well */
	bool about_updates;        /* what the complaint is about */
	dns_talk_waits *waits;
	void *arg;
};

/* --- well or not ------------------------------------------------------------------------------------- */

static void wake_now(struct dns_talk *t)
{
	if (!t->pausing) event_active(t->wake, EV_TIMEOUT, 0);
}

/* A server whose disk is full answers questions, and takes no update all the same. */
static void well(struct dns_talk *t, bool update)
{
	if (t->complaint != DNS_OK && t->about_updates && !update) return;
	t->pause = FIRST_PAUSE;
	if (t->complaint == DNS_OK) return;
	t->complaint = DNS_OK;
	if (t->pausing) evtimer_del(t->wake);
	t->pausing = false;
	wake_now(t);
	t->waits(NULL, t->arg);
}

static void unwell(struct dns_talk *t, bool update, enum dns_status status)
{
	bool told = t->complaint != DNS_OK;

	t->complaint = status;
	t->about_updates = update;
	if (!told) t->waits(dns_status_text(status), t->arg);
	if (t->pausing) return;
	t->pausing = true;
	timer_after(t->wake, t->pause);
	t->pause = t->pause * 2 < LONGEST_PAUSE ? t->pause * 2 : LONGEST_PAUSE;
}

/* --- jobs -------------------------------------------------------------------------------------------- */

static void free_job(struct job *j)
{
	dns_update_free(j->update);
	free(j);
}

static void free_sets(struct dns_rrset *sets, size_t n)
{
	for (size_t i = 0; sets && i < n; i++) {
		for (size_t k = 0; k < sets[i].n; k++)
			free(sets[i].rdata[k]);
		free(sets[i].rdata);
	}
	free(sets);
}

static void free_reading(struct reading *r)
{
	LIST_REMOVE(r, link);
	free_sets(r->sets, r->n);
	free(r);
}

static void land(struct job *j)
{
	TAILQ_REMOVE(&j->talk->flying, j, link);
}

static void requeue(struct job *j)
{
	land(j);
	TAILQ_INSERT_HEAD(&j->talk->queued, j, link);
}

static int keep_values(struct dns_rrset *set, const struct dns_answer *answer)
{
	if (answer->n == 0) return 0;
	set->rdata = calloc(answer->n, sizeof(*set->rdata));
	if (!set->rdata) return -ENOMEM;
	for (; set->n < answer->n; set->n++)
		if (!(set->rdata[set->n] = strdup(answer->rdata[set->n]))) return -ENOMEM;
	return 0;
}

static void finish_question(struct job *j)
{
	struct reading *r = j->reading;

	land(j);
	free_job(j);
	if (--r->missing > 0) return;
	r->done(r->sets, r->n, r->arg);
	free_reading(r);
}

static void finish_update(struct job *j, enum dns_status status)
{
	dns_talk_update_done *done = j->done;
	void *arg = j->arg;

	land(j);
	free_job(j);
	done(status, arg);
}

static void on_answer(const struct dns_answer *answer, void *arg)
{
	struct job *j = arg;
	bool sound =
	    answer->status == DNS_OK || answer->status == DNS_PREREQUISITE || answer->status == DNS_NO_NAME;

	wake_now(j->talk); /* a place is free */
	if (sound)
		well(j->talk, j->update != NULL);
	else
		unwell(j->talk, j->update != NULL, answer->status);
	if (j->update && (sound || j->insistence == DNS_ONCE))
		finish_update(j, answer->status);
	else if (sound && keep_values(j->set, answer) == 0)
		finish_question(j);
	else
		requeue(j);
}

static int launch(struct job *j)
{
	struct dns_client *c = j->talk->client;

	if (j->update) return dns_client_update(c, j->update, PATIENCE, on_answer, j);
	return dns_client_query(c, j->set->owner.text, j->set->type, PATIENCE, on_answer, j);
}

/* Sends one; false if there is no more place, or the talk may be gone. What can't even be written is logged;
 * a question is asked again later all the same, as whoever waits for it can't go on without. */
static bool send_one(struct dns_talk *t, struct job *j)
{
	int r = launch(j);

	if (r == -EAGAIN) return false;
	TAILQ_REMOVE(&t->queued, j, link);
	TAILQ_INSERT_TAIL(&t->flying, j, link);
	if (r == 0) return true;
	log_errno(r, "cannot send to the DNS server");
	wake_now(t);
	if (j->update)
		finish_update(j, DNS_OTHER);
	else
		on_answer(&(struct dns_answer){ .status = DNS_OTHER }, j);
	return false;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct dns_talk *t = arg;

	(void)fd, (void)what;
	t->pausing = false;
	while (!t->pausing && !TAILQ_EMPTY(&t->queued) && send_one(t, TAILQ_FIRST(&t->queued)))
		continue;
}

/* --- for the callers --------------------------------------------------------------------------------- */

const char *dns_rrset_value(const struct dns_rrset *set)
{
	return set->n == 1 ? set->rdata[0] : "";
}

static int add_questions(struct dns_talk *t, struct reading *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct job *j = calloc(1, sizeof(*j));
		if (!j) return -ENOMEM;
		*j = (struct job){ .talk = t, .reading = r, .set = &r->sets[i] };
		TAILQ_INSERT_TAIL(&t->queued, j, link);
	}
	return 0;
}

static void drop_questions(struct dns_talk *t, const struct reading *r)
{
	struct job *j = TAILQ_FIRST(&t->queued), *next;

	for (; j; j = next) {
		next = TAILQ_NEXT(j, link);
		if (j->reading != r) continue;
		TAILQ_REMOVE(&t->queued, j, link);
		free_job(j);
	}
}

int dns_talk_read(struct dns_talk *t, const struct dns_rrset *sets, size_t n, dns_talk_read_done *done,
                  void *arg)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (!r) return -ENOMEM;
	*r = (struct reading){ .n = n, .missing = n, .done = done, .arg = arg };
	LIST_INSERT_HEAD(&t->readings, r, link);
	r->sets = calloc(n ? n : 1, sizeof(*r->sets));
	for (size_t i = 0; r->sets && i < n; i++)
		r->sets[i] = (struct dns_rrset){ .owner = sets[i].owner, .type = sets[i].type };
	if (!r->sets || add_questions(t, r) < 0) {
		drop_questions(t, r);
		free_reading(r);
		return -ENOMEM;
	}
	wake_now(t);
	return 0;
}

int dns_talk_update(struct dns_talk *t, struct dns_update *u, enum dns_insistence insistence,
                    dns_talk_update_done *done, void *arg)
{
	struct job *j = u ? calloc(1, sizeof(*j)) : NULL;

	if (!j) {
		dns_update_free(u);
		return u ? -ENOMEM : -EINVAL;
	}
	*j = (struct job){ .talk = t, .update = u, .insistence = insistence, .done = done, .arg = arg };
	TAILQ_INSERT_TAIL(&t->queued, j, link);
	wake_now(t);
	return 0;
}

int dns_talk_new(struct event_base *base, const char *server, uint16_t port, const struct dns_key *key,
                 dns_talk_waits *waits, void *arg, struct dns_talk **ret)
{
	struct dns_talk *t = calloc(1, sizeof(*t));
	int r;

	if (!t) return -ENOMEM;
	*t = (struct dns_talk){ .pause = FIRST_PAUSE, .waits = waits, .arg = arg };
	TAILQ_INIT(&t->queued);
	TAILQ_INIT(&t->flying);
	LIST_INIT(&t->readings);
	t->wake = evtimer_new(base, on_wake, t);
	r = t->wake ? dns_client_new(base, server, port, key, &t->client) : -ENOMEM;
	if (r < 0)
		dns_talk_free(t);
	else
		*ret = t;
	return r;
}

static void free_jobs(struct jobs *jobs)
{
	struct job *j;

	while ((j = TAILQ_FIRST(jobs))) {
		TAILQ_REMOVE(jobs, j, link);
		free_job(j);
	}
}

void dns_talk_free(struct dns_talk *t)
{
	if (!t) return;
	dns_client_free(t->client);
	if (t->wake) event_free(t->wake);
	free_jobs(&t->queued);
	free_jobs(&t->flying);
	while (!LIST_EMPTY(&t->readings))
		free_reading(LIST_FIRST(&t->readings));
	free(t);
}
