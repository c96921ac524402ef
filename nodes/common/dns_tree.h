/* dns_tree.h - puts the tree of a plan into the zone: as few messages as do without fragments, up to 64 in
 * flight, the mark in the last, which goes when all others have been acknowledged. All of them may be
 * carried out twice, so whoever makes the same tree at the same time doesn't disturb. */
#ifndef AZLAB_DNS_TREE_H
#define AZLAB_DNS_TREE_H
#include "common/dns_talk.h"
#include "proto/dns_plan.h"

/* --- which records go into which message; pure -------------------------------------------------------- */
struct dns_bundles {
	struct dns_plan_walk walk;
	struct dns_record next; /* the one that didn't go into the last bundle */
	bool more;
};
/* The plan must outlive it. */
void dns_bundles_begin(struct dns_bundles *b, const struct dns_plan *p);
/* The next message, the caller's, or NULL if memory is out; *ret_last: it holds the mark. Not to be called
 * after the last. */
struct dns_update *dns_bundles_next(struct dns_bundles *b, bool *ret_last);

/* --- sending them ------------------------------------------------------------------------------------- */
struct dns_planting;
/* 0, or -errno: -ESTALE if somebody has begun to delete the tree meanwhile; -EPROTO if the server answered
 * what it can't to such a message. */
typedef void dns_tree_done(int result, void *arg);
/* The plan must stay until done is called. 0 or -ENOMEM. */
int dns_tree_plant(struct dns_talk *t, const struct dns_plan *p, dns_tree_done *done, void *arg);
#endif
