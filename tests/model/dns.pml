/* dns.pml - the protocol of docs/dns-automation.md as a model for spin: a planner, enactors that know nothing of
 * one another but what is in the zone, the zone, and an operator. docs/dns-model.md says what is abstracted, why
 * that loses nothing, and which messages of the real processes each step stands for.
 *
 * A step is one atomic block and prints one line, "step: NAME ENACTOR PLAN ENDPOINT" (255: none): a trail is the
 * list of these lines. All that the settings leave open is open: who is slow, who loses the lock how often, in
 * which order an enactor walks the endpoints. */

/* --- settings; -D of spin turns them ------------------------------------------------------------------------ */
#ifndef ENACTORS
#define ENACTORS 3
#endif
#ifndef PLANS
#define PLANS 4
#endif
#ifndef ENDPOINTS
#define ENDPOINTS 2
#endif
#ifndef KEEP
#define KEEP 1 /* trees older than the enactor's own by more are cleaned up */
#endif

#define ONCE 0
#define PER_WRITE 1
#define COMPARE_AND_SET 2
#ifndef FRESHNESS
#define FRESHNESS ONCE
#endif
#define BY_AGE 0
#define NEVER_ACTIVE 1
#ifndef CLEANUP
#define CLEANUP BY_AGE
#endif
#ifndef ALIAS_CHECK
#define ALIAS_CHECK 1
#endif
#ifndef REFUSE_EMPTY
#define REFUSE_EMPTY 0
#endif
#ifndef AUTO_ROLLBACK
#define AUTO_ROLLBACK 0
#endif
#ifndef OPERATOR
#define OPERATOR 0 /* 1: when all is quiet, somebody repairs out of band what can take no new plan */
#endif
#ifndef TREE_MESSAGES
#define TREE_MESSAGES 1 /* 2: the tree is so large that its mark comes in a message of its own ... */
#endif
#ifndef TREE_CHECK
#define TREE_CHECK 1 /* ... which has for a prerequisite that what came before is still there */
#endif

#ifndef SPARING
/* 1: a clean-up may leave any tree alone. It does when its deletion is refused, since a root has been turned (never-active)
 * or the tree has changed after it was read: a superset of that, for searches that find nothing. */
#ifdef OBSERVED
#define SPARING 1
#else
#define SPARING 0
#endif
#endif

/* --- properties: some by their names, or all ------------------------------------------------------------------ *
 * GUARD_IDLE and TREE_CHECK_IDLE aren't what anybody wants: that compare-and-set and never-active, or the mark's
 * prerequisite, never have anything to refuse. */
#if !defined(OBSERVED) && !defined(GUARD_IDLE) && !defined(TREE_CHECK_IDLE) && !defined(ACTIVE_TREE_KEPT) && !defined(NEVER_BACK) && !defined(NEVER_EMPTY) && !defined(NEVER_STUCK)
#define ACTIVE_TREE_KEPT
#define NEVER_BACK
#define NEVER_EMPTY
#define NEVER_STUCK
#endif

/* --- the zone --------------------------------------------------------------------------------------------- */
#define SERVICE 0 /* the endpoint whose generation counts at pick-up: the service's own name */
#define NONE 255

byte root[ENDPOINTS];       /* whose tree the endpoint's alias points to: a plan's number */
byte generation[ENDPOINTS]; /* the plan in force */
bool mark[PLANS + 1];       /* the tree is whole */
bool top[PLANS + 1];        /* its names have addresses */
/* Two records that nobody decides by are in no state; a trail tells what is written to them:
 *   the lock: one that hasn't expired keeps others waiting, and time here is whatever it likes to be; one that has
 *   expired decides by being still the one that was read, which `knows` says;
 *   the rollback record: whose tree was active before. With auto_rollback it is read. */
#define WRITE_LOCK(e) printf("lock: %d %d\n", e, me)
#if AUTO_ROLLBACK
byte rollback[ENDPOINTS];
#define WRITE_ROLLBACK(e) printf("rollback: %d %d\n", e, root[e]); rollback[e] = root[e]
#define ROLLBACK_IS_THERE(e) mark[rollback[e]]
#else
#define WRITE_ROLLBACK(e) printf("rollback: %d %d\n", e, root[e])
#define ROLLBACK_IS_THERE(e) false
#endif

/* --- the store, and what enactors know ------------------------------------------------------------------------ */
byte newest;             /* plan in the store */
byte plan[ENACTORS + 1]; /* in hand, or the last one handled */
bool idle[ENACTORS + 1];
/* 1 + the endpoint whose lock and root, as read, are still what is there; 0: none. Every value of a lock is a new
 * one, so that belief in an older one is wrong for ever. */
byte knows[ENACTORS + 1];

#ifdef SHORTEST
byte k, n; /* a breadth-first search can't do without them in its states */
#else
hidden byte k, n; /* for loops; only within a d_step, as a search doesn't restore them when it turns back */
#endif

mtype = { fetch, probe, pick, stale, tree_begin, tree_lost, tree, age, look, already, outdated, turn, refused, lost, gone, own_gone,
	  to_back, back, applied, keep, spare, clean, cleaned };
#ifndef OBSERVED
#define STEP(name, p, e) printf("step: %e %d %d %d\n", name, me, p, e)
#define OVER(e) skip
#else
/* A run of the real processes is judged: each enactor may take only the steps that it told, in its order, and none
 * before those of others that had been told when it began; steps that nobody tells are free. The tables are
 * observed.h, which scripts/check-dns-run writes. If all that was told has been done, the run is one of the
 * model's: that is what the assertion in check_all_seen() waits for. */
#define SEEN_silent 0 /* what nobody tells */
#define SEEN_fetch 1
#define SEEN_look 2
#define SEEN_FIRST 3 /* of those that are told */
#define SEEN_pick 3
#define SEEN_stale 4
#define SEEN_outdated 5
#define SEEN_turn 6
#define SEEN_lost 7
#define SEEN_gone 8
#define SEEN_own_gone 9
#define SEEN_back 10
#define SEEN_applied 11
#define SEEN_clean 12
#define SEEN_probe SEEN_silent
#define SEEN_tree_begin SEEN_silent
#define SEEN_tree_lost SEEN_silent
#define SEEN_tree SEEN_silent
#define SEEN_age SEEN_silent
#define SEEN_already SEEN_silent
#define SEEN_refused SEEN_silent
#define SEEN_to_back SEEN_silent
#define SEEN_keep SEEN_silent
#define SEEN_spare SEEN_silent
#define SEEN_cleaned SEEN_silent
c_decl {
\#include "observed.h"
}
short at[ENACTORS + 1]; /* how much of what each has told is done */
hidden short o_kind, o_me, o_plan, o_endpoint, o_over;
hidden byte o_may;
c_code {
	static int seen_may(void)
	{
		const struct seen *s = &seen[o_me][now.at[o_me]];
		int left = now.at[o_me] < n_seen[o_me], of_endpoint = left && s->endpoint != NONE;

		if (o_kind == SEEN_fetch) return !left || s->plan == o_plan;
		if (o_kind == SEEN_look) return !of_endpoint || s->endpoint == o_endpoint;
		if (o_kind == SEEN_silent) return 1;
		for (int i = 1; left && i <= ENACTORS; i++)
			if (now.at[i] < s->need[i]) return 0;
		return left && s->kind == o_kind && s->plan == o_plan && s->endpoint == o_endpoint &&
		       (o_kind != SEEN_turn || s->over == o_over);
	}
}
#define OVER(e) o_over = generation[e]
#define STEP(name, p, e) see(SEEN_##name, p, e); printf("step: %e %d %d %d\n", name, me, p, e)
inline see(kind, p, e)
{
	o_kind = kind;
	o_me = me;
	o_plan = p;
	o_endpoint = e;
	c_code { o_may = seen_may(); };
	if
	:: o_may && kind >= SEEN_FIRST -> at[me]++; check_all_seen()
	:: o_may && kind < SEEN_FIRST
	:: else -> goto Never /* this way isn't what was observed */
	fi
}
inline check_all_seen()
{
	c_code {
		o_may = 1;
		for (int i = 1; i <= ENACTORS; i++)
			o_may = o_may && now.at[i] == n_seen[i];
	};
	assert(!o_may)
}
#define NEVER Never: false
#endif
#ifndef NEVER
#define NEVER skip
#endif

#ifdef OBSERVED
#define FIRST_IN_ORDER true
#else
#define FIRST_IN_ORDER (me == 1 || plan[me - 1] > 0)
#endif

/* Could an enactor that is alone in the world turn this endpoint to a new plan? */
#define CAN_TAKE(e) (mark[root[e]] || (AUTO_ROLLBACK && ROLLBACK_IS_THERE(e)))

inline check_not_empty()
{
#ifdef NEVER_EMPTY
	for (k : 0 .. ENDPOINTS - 1) {
		assert(top[root[k]])
	}
#endif
	skip
}

inline guarded()
{
#ifdef GUARD_IDLE
	assert(false)
#endif
	skip
}

inline tree_guarded()
{
#ifdef TREE_CHECK_IDLE
	assert(false)
#endif
	skip
}

/* A transaction has changed this endpoint: whoever had read it before believes wrongly. */
inline change(e, to)
{
	root[e] = to;
	generation[e] = to;
	for (k : 1 .. ENACTORS) {
		if
		:: knows[k] == e + 1 -> knows[k] = 0
		:: else
		fi
	}
	check_not_empty()
}

/* What is asserted is asserted of what a step has left, so that the last state of a trail is that of the zone. */
inline take(e, to)
{
	n = generation[e];
	WRITE_ROLLBACK(e);
	WRITE_LOCK(e);
	change(e, to);
#ifdef NEVER_BACK
	assert(generation[e] >= n)
#endif
}

inline delete(p)
{
	mark[p] = false;
	top[p] = false;
#ifdef ACTIVE_TREE_KEPT
	for (k : 0 .. ENDPOINTS - 1) {
		assert(root[k] != p)
	}
#endif
	check_not_empty()
}

/* Out of band: every root to the newest tree that is there, without a lock, without a rollback record. */
inline repair_all()
{
	n = PLANS;
	do
	:: !mark[n] && n > 0 -> n--
	:: else -> break
	od;
	if
	:: mark[n] ->
		for (k : 0 .. ENDPOINTS - 1) {
			root[k] = n;
			generation[k] = n
		}
	:: else
	fi
}

inline count_quiet()
{
	n = 0;
	for (k : 1 .. ENACTORS) {
		n = n + (idle[k] && plan[k] == PLANS)
	}
}

/* The plan in hand is done with, one way or other.
 *
 * When the last plan has been handled by all, all is quiet: nothing acts any more but the operator, and an endpoint
 * that can't take a new plan then never will. And from every state all may go on until it is quiet. So what is asked
 * here of the quiet states alone says of every state: there is a way on by which each endpoint takes a new plan. */
inline put_down()
{
	knows[me] = 0;
	planted = false;
	todo = 0;
	e = ENDPOINTS;
	p = 0;
	idle[me] = true;
#ifdef NEVER_STUCK
	count_quiet();
	if
	:: n == ENACTORS ->
#if OPERATOR
		repair_all();
#endif
		for (k : 0 .. ENDPOINTS - 1) {
			assert(CAN_TAKE(k))
		}
	:: else
	fi
#endif
}

/* --- processes --------------------------------------------------------------------------------------------- */
proctype Planner()
{
	do
	:: atomic { newest < PLANS -> newest++; printf("step: publish 0 %d %d\n", newest, NONE) }
	:: newest == PLANS -> break
	od
}

/* The endpoint that the walk is at, or else the next, any that is left. */
inline choose_endpoint()
{
	if
	:: e == ENDPOINTS ->
		e = 0;
		do
		:: (todo >> e) & 1 -> break
		:: (todo >> e) > 1 -> e++
		od
	:: else
	fi
}

inline done_with_endpoint()
{
	todo = todo & ~(1 << e);
	knows[me] = 0;
	e = ENDPOINTS
}

inline check_freshness()
{
	if
	:: generation[SERVICE] >= plan[me] -> STEP(stale, plan[me], NONE); d_step { put_down() }; goto endIdle
	:: else -> STEP(pick, plan[me], NONE); todo = (1 << ENDPOINTS) - 1
	fi
}

inline find_old_trees()
{
	for (p : 0 .. PLANS) {
		old[p] = top[p] && p + KEEP < plan[me]
	}
	p = 0
}

inline find_whether_used()
{
	for (k : 0 .. ENDPOINTS - 1) {
		used = used || root[k] == p
	}
}

inline next_old_tree()
{
	do
	:: p < PLANS && !old[p] -> p++
	:: else -> break
	od;
	skip /* a d_step may not end in a jump */
}

proctype Enactor(byte me)
{
	byte e = ENDPOINTS, p;     /* the endpoint that the walk is at; the tree that the clean-up is at */
	bool planted;              /* the tree's mark was there at pick-up */
	unsigned todo : ENDPOINTS; /* endpoints that are still to be turned to the plan in hand */
	bool used;               /* a root points to the tree that the clean-up is at */
	bool old[PLANS + 1];       /* trees that the clean-up has found in the index and not yet come to */

endIdle: /* the store's newest, if it is newer than the last one handled. Enactors are all the same, so they may be
	  * numbered in the order in which they first come here. */
	atomic {
		newest > plan[me] && FIRST_IN_ORDER;
		idle[me] = false;
Fetch:
		plan[me] = newest;
		STEP(fetch, plan[me], NONE)
	}
	/* two questions at once: is the tree there, and the check for freshness that there always was */
	if
	:: atomic { planted = mark[plan[me]]; STEP(probe, plan[me], NONE) };
	   atomic { check_freshness() }
	:: atomic { check_freshness() };
	   atomic { planted = mark[plan[me]]; STEP(probe, plan[me], NONE) }
	fi;
	/* the tree */
	if
	:: atomic { planted -> planted = false }
#if TREE_MESSAGES > 1
	:: atomic { !planted -> top[plan[me]] = true; STEP(tree_begin, plan[me], NONE) };
	   atomic {
		if
		:: TREE_CHECK && !top[plan[me]] -> STEP(tree_lost, plan[me], NONE); tree_guarded(); todo = 0; goto Fetch
		:: else -> mark[plan[me]] = true; STEP(tree, plan[me], NONE)
		fi
	   }
#else
	:: atomic { !planted -> top[plan[me]] = true; mark[plan[me]] = true; STEP(tree, plan[me], NONE) }
#endif
	fi;

Walk:	/* what is there: lock, root, generation. Another's lock has to expire first; to find it held and back off
	 * changes nothing, so it is no step. Three questions at once, too, but lock and root are prerequisites: read
	 * at another moment than the generation they would only make the transaction fail. */
	atomic {
		choose_endpoint();
#if FRESHNESS != ONCE
		if
		:: generation[e] > plan[me] -> STEP(outdated, plan[me], e); guarded(); d_step { put_down() }; goto endIdle
		:: generation[e] == plan[me] -> STEP(already, plan[me], e); d_step { done_with_endpoint() }; goto Next
		:: else
		fi
#endif
#if FRESHNESS == PER_WRITE
		;
		STEP(age, plan[me], e)
	}
	atomic {
#elif FRESHNESS == COMPARE_AND_SET
		;
#endif
		STEP(look, plan[me], e);
		knows[me] = e + 1
	}
	/* the transaction */
	atomic {
		if
		:: knows[me] && mark[root[e]] && (!ALIAS_CHECK || mark[plan[me]]) && (!REFUSE_EMPTY || top[plan[me]]) ->
			OVER(e);
			STEP(turn, plan[me], e);
			d_step { take(e, plan[me]); done_with_endpoint() };
			goto Next
		:: !knows[me] -> STEP(refused, plan[me], e); STEP(lost, plan[me], e); goto Walk /* and so it stays */
		:: else -> STEP(refused, plan[me], e)
		fi
	}
	/* why? */
	atomic {
		if
		:: !knows[me] -> STEP(lost, plan[me], e); goto Walk
		:: knows[me] && !mark[root[e]] && !CAN_TAKE(e) -> STEP(gone, plan[me], e); d_step { put_down() }; goto endIdle
		:: knows[me] && !mark[root[e]] && CAN_TAKE(e) -> STEP(to_back, plan[me], e)
		:: knows[me] && mark[root[e]] && (ALIAS_CHECK && !mark[plan[me]] || REFUSE_EMPTY && !top[plan[me]]) ->
			STEP(own_gone, plan[me], e);
			d_step { put_down() };
			goto endIdle
		:: else -> STEP(lost, plan[me], e); knows[me] = 0; goto Walk /* it has moved back */
		fi
	}
#if AUTO_ROLLBACK
	atomic {
		if
		:: knows[me] && !mark[root[e]] && ROLLBACK_IS_THERE(e) ->
			STEP(back, rollback[e], e);
			d_step { WRITE_LOCK(e); change(e, rollback[e]) }
		:: else -> STEP(lost, plan[me], e)
		fi;
		knows[me] = 0;
		goto Walk
	}
#endif
Next:
	if
	:: atomic { todo -> goto Walk }
	:: atomic { !todo -> STEP(applied, plan[me], NONE); d_step { find_old_trees(); next_old_tree() } }
	fi;

	/* the clean-up, tree by tree */
	do
	:: atomic {
		old[p] ->
		old[p] = false;
		d_step { find_whether_used() };
		if
#if SPARING
		:: STEP(spare, p, NONE)
#endif
		:: CLEANUP == NEVER_ACTIVE && used -> STEP(keep, p, NONE); guarded()
		:: CLEANUP == BY_AGE || !used -> STEP(clean, p, NONE); d_step { delete(p) }
		fi;
		d_step { used = false; next_old_tree() }
	   }
	:: atomic {
		!old[p] ->
		STEP(cleaned, plan[me], NONE);
		d_step { put_down() };
		goto endIdle
	   }
	od;
	NEVER
}

init {
	atomic {
		printf("settings: freshness %d cleanup %d alias_check %d refuse_empty %d auto_rollback %d keep %d tree_messages %d plans %d\n",
		       FRESHNESS, CLEANUP, ALIAS_CHECK, REFUSE_EMPTY, AUTO_ROLLBACK, KEEP, TREE_MESSAGES, PLANS);
		mark[0] = true;
		top[0] = true;
		for (k : 1 .. ENACTORS) {
			idle[k] = true
		}
		run Planner();
		for (k : 1 .. ENACTORS) {
			run Enactor(k)
		}
	}
}
