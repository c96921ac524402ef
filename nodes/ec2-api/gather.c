#include "ec2-api/gather.h"
#include "common/cleanup.h"
#include "ec2-api/request.h"
#include "ec2-api/rows.h"

struct gather;
struct slot {
	struct gather *gather;
	char id[INSTANCE_ID_MAX];
	bool found;
	struct instance row;
};
struct gather {
	size_t n, left;
	enum api_code code;
	gather_done *done;
	void *arg;
	struct slot slots[];
};

static void finish(struct gather *g)
{
	struct gathered all = { .code = g->code };
	cleanup_free struct instance *rows = calloc(g->n + 1, sizeof(*rows));

	if (!rows) all.code = API_INTERNAL;
	for (size_t i = 0; rows && i < g->n; i++) {
		if (g->slots[i].found)
			rows[all.n++] = g->slots[i].row;
		else
			snprintf(all.missing, sizeof(all.missing), "%s", g->slots[i].id);
	}
	all.rows = rows;
	g->done(&all, g->arg);
	for (size_t i = 0; i < g->n; i++)
		instance_release(&g->slots[i].row);
	free(g);
}

static void part_in(struct gather *g)
{
	if (--g->left == 0) finish(g);
}

static void on_row(const struct dynamo_reply *reply, void *arg)
{
	struct slot *s = arg;
	const json_t *item = json_object_get(reply->body, "Item");

	if (reply->outcome != DYNAMO_OK)
		s->gather->code = api_code_of(reply->outcome);
	else if (item)
		s->found = instance_from_item(&s->row, item) == 0;
	part_in(s->gather);
}

void gather_rows(struct api *api, const char *const *ids, size_t n, gather_done *done, void *arg)
{
	struct gather *g = calloc(1, sizeof(*g) + n * sizeof(g->slots[0]));

	if (!g) {
		done(&(struct gathered){ .code = API_INTERNAL }, arg);
		return;
	}
	*g = (struct gather){ .n = n, .left = n + 1, .done = done, .arg = arg };
	for (size_t i = 0; i < n; i++) {
		g->slots[i].gather = g;
		snprintf(g->slots[i].id, sizeof(g->slots[i].id), "%s", ids[i]);
	}
	for (size_t i = 0; i < n; i++)
		api_store(api, "GetItem", row_get(g->slots[i].id), on_row, &g->slots[i]);
	part_in(g); /* this function's own: answers may have come at once */
}

void gather_named(struct call *c, gather_done *done)
{
	struct ids_request r;
	struct api_error e = { 0 };

	if (!request_ids(&c->query, &r, &e))
		call_error(c, &e);
	else if (request_is_dry(&c->query))
		call_fail(c, API_DRY_RUN, "Request would have succeeded, but DryRun flag is set.");
	else
		gather_rows(c->api, r.ids, r.n, done, c);
}

bool gathered_all(const struct gathered *g, struct call *c)
{
	if (g->code != API_OK)
		call_fail(c, g->code, "The service's state can't be reached. Try again.");
	else if (g->missing[0])
		call_fail(c, API_NO_INSTANCE, "The instance ID '%s' does not exist", g->missing);
	return g->code == API_OK && !g->missing[0];
}

const struct instance *gathered_first(const struct gathered *g, bool (*is_so)(const struct instance *))
{
	for (size_t i = 0; i < g->n; i++)
		if (is_so(&g->rows[i])) return &g->rows[i];
	return NULL;
}
