#include "ec2-api/gather.h"
#include "ec2-api/launch.h"
#include "common/cleanup.h"
#include <string.h>

static void claim(struct launch *l, const char *former, dynamo_done *done)
{
	cleanup_free const char **ids = calloc(l->n, sizeof(*ids));

	for (unsigned i = 0; ids && i < l->n; i++)
		ids[i] = l->parts[i].row.id;
	api_store(l->api, "PutItem", token_put(&l->token, ids, ids ? l->n : 0, former), done, l);
}

/* Nothing was begun: whoever waits is told, and the launch ends. */
static void drop(struct launch *l, enum api_code code, const char *why)
{
	launch_fail(l, code, "%s", why);
	l->unfinished = 0;
	launch_look(l);
}

static void drop_for(struct launch *l, const struct dynamo_reply *reply)
{
	drop(l, api_code_of(reply->outcome), "The service's state can't be reached. Try again.");
}

/* --- a token that was there already ------------------------------------------------------------------ */

static void on_taken_over(const struct dynamo_reply *reply, void *arg)
{
	struct launch *l = arg;

	if (reply->outcome == DYNAMO_OK)
		launch_start(l);
	else /* also if somebody else took it over first: the client's next try will meet that one */
		drop_for(l, reply);
}

/* The earlier launch came to nothing, and could not say so: this one takes its place. */
static void take_over(struct launch *l, const struct token_row *earlier)
{
	claim(l, earlier->reservation, on_taken_over);
}

struct repetition {
	struct launch *launch;
	struct token_row earlier;
};

static bool has_droplet(const struct instance *i)
{
	return i->droplet[0] != '\0';
}

static void on_earlier_rows(const struct gathered *g, void *arg)
{
	cleanup_free struct repetition *again = arg;
	struct launch *l = again->launch;
	cleanup_free const struct instance **rows = calloc(g->n + 1, sizeof(*rows));
	size_t n = 0;

	if (g->code != API_OK || !rows) {
		drop(l, g->code != API_OK ? g->code : API_INTERNAL, "The earlier launch can't be looked up");
		return;
	}
	for (size_t i = 0; i < g->n; i++) {
		if (has_droplet(&g->rows[i])) rows[n++] = &g->rows[i];
	}
	if (n < l->min) {
		take_over(l, &again->earlier);
		return;
	}
	launch_answer(l, again->earlier.reservation, rows, n);
	l->unfinished = 0;
	launch_look(l);
}

static int gather_earlier(struct launch *l, const struct token_row *earlier, const json_t *list)
{
	struct repetition *again = malloc(sizeof(*again));
	size_t n = json_array_size(list);
	cleanup_free const char **ids = calloc(n + 1, sizeof(*ids));

	if (!again || !ids) {
		free(again);
		return -1;
	}
	*again = (struct repetition){ .launch = l, .earlier = *earlier };
	for (size_t i = 0; i < n; i++)
		ids[i] = node_string(json_array_get(list, i), "S", "");
	gather_rows(l->api, ids, n, on_earlier_rows, again);
	return 0;
}

static void on_earlier_token(const struct dynamo_reply *reply, void *arg)
{
	struct launch *l = arg;
	struct token_row earlier;
	const json_t *ids, *item = json_object_get(reply->body, "Item");

	if (reply->outcome != DYNAMO_OK)
		drop_for(l, reply);
	else if (!item) /* freed in this very moment */
		claim(l, "", on_taken_over);
	else if (token_from_item(&earlier, &ids, item) < 0)
		drop(l, API_INTERNAL, "The client token's state can't be read");
	else if (strcmp(earlier.parameters, l->token.parameters))
		drop(l, API_TOKEN_MISMATCH,
		     "Arguments on this idempotent request are inconsistent with arguments used in previous "
		     "request(s).");
	else if (gather_earlier(l, &earlier, ids) < 0)
		drop(l, API_INTERNAL, "Out of memory");
}

/* --- claiming and freeing ---------------------------------------------------------------------------- */

static void on_claimed(const struct dynamo_reply *reply, void *arg)
{
	struct launch *l = arg;

	if (reply->outcome == DYNAMO_OK)
		launch_start(l);
	else if (reply->outcome == DYNAMO_CONDITION_FAILED)
		api_store(l->api, "GetItem", token_get(l->token.token), on_earlier_token, l);
	else
		drop_for(l, reply);
}

void token_claim(struct launch *l)
{
	claim(l, "", on_claimed);
}

static void tell_failure(struct launch *l)
{
	launch_fail(l, l->failure.code, "%s", l->failure.message);
	l->unfinished--;
	launch_look(l);
}

/* Whether it worked or not: a token that stays is taken over by its next use. */
static void on_freed(const struct dynamo_reply *reply, void *arg)
{
	(void)reply;
	tell_failure(arg);
}

void token_free(struct launch *l)
{
	l->unfinished++;
	if (l->token.token[0])
		api_store(l->api, "DeleteItem", token_delete(&l->token), on_freed, l);
	else
		tell_failure(l);
}
