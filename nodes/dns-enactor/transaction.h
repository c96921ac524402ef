/* transaction.h - one endpoint's turn to a tree: what is read before it, whether to send it, the transaction,
 * and what a failure means. Pure: what was read and the wall clock are passed in.
 *
 * The order is: dne_before() on a first view; dne_flip(); if that wasn't taken, or its answer is missing, a
 * close view and dne_after(). */
#ifndef AZLAB_DNE_TRANSACTION_H
#define AZLAB_DNE_TRANSACTION_H
#include "common/dns_talk.h"
#include "dns-enactor/config.h"
#include "proto/dns_plan.h"

/* What is written where; borrowed. */
struct dne_target {
	const struct dne_config *config;
	const struct dns_plan *plan;
	const struct dns_endpoint *endpoint;
	bool forced; /* an operator's will: the plan's age doesn't count */
};

/* An endpoint as it is in the zone. Values are text as read, "" where there is none. */
struct dne_view {
	char lock[DNS_VALUE_MAX], generation[DNS_VALUE_MAX];
	char root[DNS_NAME_TEXT_MAX], rollback[DNS_NAME_TEXT_MAX];
	bool lock_foreign; /* something else than locks of ours: nobody can take it */
	uint64_t plan;     /* the generation as a number, 0 if there is none */
	/* the rest only in a close view */
	bool own_there, own_empty; /* the own tree's mark; its top without address */
	bool old_there;            /* the mark of the tree that the root points to */
	bool rollback_there;       /* of the one that the rollback record points to ... */
	uint64_t rollback_plan;    /* ... and whose plan it is */
};

enum { DNE_QUESTIONS_MAX = 6, DNE_MARKS_MAX = 2 };
/* What to read for a view, and reading the answers, which stand in the same order. */
size_t dne_questions(const struct dne_target *t, bool closely, struct dns_rrset ret[DNE_QUESTIONS_MAX]);
void dne_view_read(const struct dns_rrset *answers, bool closely, struct dne_view *ret);
/* What a close view needs besides, once the rest of it is known; perhaps nothing. */
size_t dne_marks(const struct dne_target *t, const struct dne_view *v, struct dns_rrset ret[DNE_MARKS_MAX]);
void dne_view_read_marks(const struct dne_target *t, const struct dns_rrset *answers, struct dne_view *v);

enum dne_verdict {
	DNE_SEND,     /* the way is free */
	DNE_TAKEN,    /* it was carried out, though the answer said otherwise or got lost */
	DNE_KEPT,     /* it is so already: nothing to do */
	DNE_HELD,     /* another holds the lock */
	DNE_MOVED,    /* another was faster */
	DNE_STALE,    /* a newer plan is in force */
	DNE_OLD_GONE, /* no rollback record can be written: the tree in force is gone */
	DNE_OWN_GONE, /* the tree that the root would point to isn't there */
	DNE_EMPTY,    /* its top has no address */
};
enum dne_verdict dne_before(const struct dne_target *t, const struct dne_view *v, int64_t now_ms);
/* sent is the view that the transaction was made from; refused: a prerequisite failed, else no answer came.
 */
enum dne_verdict dne_after(const struct dne_target *t, const struct dne_view *sent,
                           const struct dne_view *now, bool refused);
/* Who holds the lock that was read, for a person. */
struct dns_lock dne_holder(const struct dne_view *v);

/* The transaction, the caller's; NULL if memory is out. until_ms: the end of the lock that it takes, which no
 * other transaction of this holder may have. */
struct dns_update *dne_flip(const struct dne_target *t, const struct dne_view *v, int64_t until_ms);
/* auto_rollback: can the root be turned to what the rollback record points to, and the transaction. */
bool dne_can_roll_back(const struct dne_target *t, const struct dne_view *close);
struct dns_update *dne_roll_back(const struct dne_target *t, const struct dne_view *close, int64_t until_ms);
/* Taking or renewing leadership; value: the leader record as read, "" if there is none. */
struct dns_update *dne_lead(const struct dne_config *c, const char *value, int64_t until_ms);
/* May we act as the leader? 1 yes, 0 it can be taken (or renewed first), -1 another is. */
int dne_leads(const struct dne_config *c, const char *value, int64_t now_ms);
#endif
