/* chain.h - stages in order, with their parameters and their books. Pure. A chain holds no pointers of its
 * own: a copy by assignment is a trial that can be thrown away, and a second chain fed with the same changes
 * can run beside the first one as a shadow. */
#ifndef AZLAB_CHAIN_H
#define AZLAB_CHAIN_H
#include "policy/stage.h"

enum { CHAIN_STAGES_MAX = 8 };

struct chain_stage {
	const struct stage_type *type;
	double params[STAGE_PARAMS_MAX];
};
struct chain {
	bool on; /* off: everything is allowed, the books are kept */
	size_t n;
	struct chain_stage stages[CHAIN_STAGES_MAX];
	struct chain_state {
		_Alignas(max_align_t) unsigned char bytes[STAGE_STATE_MAX];
	} states[CHAIN_STAGES_MAX];
};
struct chain_hold {
	const char *stage; /* the first one that holds */
	char reason[STAGE_REASON_MAX];
	mono_ns retry; /* ask again then; 0: no time is known */
};

/* Takes n stages (at most CHAIN_STAGES_MAX, or -E2BIG and nothing changes). A stage that was there before,
 * counted by type, keeps its books. A zeroed chain is an empty one. */
int chain_configure(struct chain *c, const struct chain_stage *stages, size_t n);
/* May the change go ahead? If not, *ret says why. */
bool chain_allows(const struct chain *c, const struct change *change, mono_ns now, struct chain_hold *ret);
/* The change happened: every stage keeps its books, on or off. */
void chain_happened(struct chain *c, const struct change *change, mono_ns now);
/* True while an acting stage wants zones back that were removed before. */
bool chain_recalls(const struct chain *c);
#endif
