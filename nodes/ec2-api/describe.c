#include "common/cleanup.h"
#include "ec2-api/gather.h"
#include "ec2-api/request.h"
#include "ec2-api/rows.h"
#include <string.h>

enum { SCAN_ROWS = 500 };

struct description {
	struct call *call;
	struct describe_request request; /* borrows from the call's query */
	struct instance *rows;           /* those that match, up to a page */
	size_t n, room;
	bool more; /* there are rows behind the page */
};

static void description_free(struct description *d)
{
	for (size_t i = 0; i < d->n; i++)
		instance_release(&d->rows[i]);
	free(d->rows);
	free(d);
}

static void answer(struct description *d)
{
	struct answer a;
	/* the page's last, before the answer puts them in another order */
	cleanup_free char *last = d->more && d->n ? strdup(d->rows[d->n - 1].id) : NULL;

	call_begin(d->call, &a);
	if (d->call->action == ACTION_DESCRIBE_STATUS)
		answer_statuses(&a, d->rows, d->n);
	else
		answer_reservations(&a, d->rows, d->n);
	answer_next_token(&a, last);
	call_answer(d->call, &a);
	description_free(d);
}

static void fail(struct description *d, enum api_code code)
{
	call_fail(d->call, code,
	          code == API_INTERNAL ? "Out of memory"
	                               : "The service's state can't be reached. Try again.");
	description_free(d);
}

static bool wanted(const struct description *d, const struct instance *i)
{
	if (d->call->action == ACTION_DESCRIBE_STATUS && !d->request.all_states &&
	    i->state != INSTANCE_RUNNING)
		return false;
	return request_matches(&d->request, i);
}

static bool make_room(struct description *d)
{
	size_t room = d->room ? d->room * 2 : 64;
	struct instance *rows;

	if (d->n < d->room) return true;
	if (!(rows = reallocarray(d->rows, room, sizeof(*rows)))) return false;
	d->rows = rows;
	d->room = room;
	return true;
}

static size_t page_size(const struct description *d)
{
	return d->request.max_results ? d->request.max_results : REQUEST_PAGE_MAX;
}

/* --- by their ids ------------------------------------------------------------------------------------ */

static void on_rows(const struct gathered *g, void *arg)
{
	struct description *d = arg;

	if (!gathered_all(g, d->call)) {
		description_free(d);
		return;
	}
	for (size_t i = 0; i < g->n; i++) {
		if (!wanted(d, &g->rows[i])) continue;
		if (!make_room(d)) {
			fail(d, API_INTERNAL);
			return;
		}
		d->rows[d->n] = g->rows[i];
		json_incref(d->rows[d->n++].tags);
	}
	answer(d);
}

/* --- all, page by page ------------------------------------------------------------------------------- */

/* False without memory. */
static bool take_row(struct description *d, const json_t *item)
{
	struct instance row;

	if (instance_from_item(&row, item) < 0) return true; /* no row of ours */
	if (!wanted(d, &row)) {
		instance_release(&row);
		return true;
	}
	if (!make_room(d)) {
		instance_release(&row);
		return false;
	}
	d->rows[d->n++] = row;
	return true;
}

static bool take_rows(struct description *d, const json_t *items)
{
	size_t i;
	json_t *item;

	json_array_foreach (items, i, item) {
		if (d->n == page_size(d)) {
			d->more = true;
			return true;
		}
		if (!take_row(d, item)) return false;
	}
	return true;
}

static void on_scanned(const struct dynamo_reply *reply, void *arg)
{
	struct description *d = arg;
	const json_t *last = json_object_get(reply->body, "LastEvaluatedKey");
	const char *after = dynamo_get_s(last, "instance", NULL);

	if (reply->outcome != DYNAMO_OK) {
		fail(d, api_code_of(reply->outcome) == API_INTERNAL ? API_UNAVAILABLE
		                                                    : api_code_of(reply->outcome));
	} else if (!take_rows(d, json_object_get(reply->body, "Items"))) {
		fail(d, API_INTERNAL);
	} else if (after && d->n < page_size(d)) {
		api_store(d->call->api, "Scan", row_scan(after, SCAN_ROWS), on_scanned, d);
	} else {
		d->more |= after != NULL;
		answer(d);
	}
}

void describe_call(struct call *c)
{
	struct description *d = calloc(1, sizeof(*d));
	struct api_error e = { 0 };

	if (!d) {
		call_fail(c, API_INTERNAL, "Out of memory");
		return;
	}
	d->call = c;
	if (!request_describe(&c->query, &d->request, &e)) {
		call_error(c, &e);
		description_free(d);
	} else if (request_is_dry(&c->query)) {
		call_fail(c, API_DRY_RUN, "Request would have succeeded, but DryRun flag is set.");
		description_free(d);
	} else if (d->request.n_ids) {
		gather_rows(c->api, d->request.ids, d->request.n_ids, on_rows, d);
	} else {
		api_store(c->api, "Scan", row_scan(d->request.after, SCAN_ROWS), on_scanned, d);
	}
}
