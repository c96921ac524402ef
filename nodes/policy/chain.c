#include "policy/chain.h"
#include <errno.h>
#include <string.h>

/* The books of the k-th stage of this type in c, or NULL. */
static const struct chain_state *books_of(const struct chain *c, const struct stage_type *type, size_t k)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->stages[i].type == type && k-- == 0) return &c->states[i];
	return NULL;
}

static size_t earlier_of_type(const struct chain_stage *stages, size_t i)
{
	size_t k = 0;
	for (size_t j = 0; j < i; j++)
		k += stages[j].type == stages[i].type;
	return k;
}

int chain_configure(struct chain *c, const struct chain_stage *stages, size_t n)
{
	struct chain next = { .on = c->on, .n = n };

	if (n > CHAIN_STAGES_MAX) return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		const struct chain_state *books = books_of(c, stages[i].type, earlier_of_type(stages, i));
		if (books) next.states[i] = *books;
		next.stages[i] = stages[i];
	}
	*c = next;
	return 0;
}

bool chain_allows(const struct chain *c, const struct change *change, mono_ns now, struct chain_hold *ret)
{
	if (!c->on) return true;
	for (size_t i = 0; i < c->n; i++) {
		const struct chain_stage *s = &c->stages[i];
		*ret = (struct chain_hold){ .stage = s->type->name };
		if (!s->type->allows(c->states[i].bytes, s->params, change, now, ret->reason, &ret->retry))
			return false;
	}
	return true;
}

void chain_happened(struct chain *c, const struct change *change, mono_ns now)
{
	for (size_t i = 0; i < c->n; i++)
		c->stages[i].type->happened(c->states[i].bytes, c->stages[i].params, change, now);
}

bool chain_recalls(const struct chain *c)
{
	for (size_t i = 0; c->on && i < c->n; i++)
		if (c->stages[i].type->recalls) return true;
	return false;
}
