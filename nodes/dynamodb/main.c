/* dynamodb - a database that speaks DynamoDB's protocol, on LMDB. */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/node.h"
#include "common/rlimit.h"
#include "dynamodb/service.h"
#include <errno.h>
#include <string.h>

enum { SAMPLE_PERIOD_S = 1, MAP_MB = 4096, QUEUE = 1000 };

struct dynamodb {
	struct node *node;
	struct store *store;
	struct service *service;
	struct event *sample_timer;
	struct service_figures last;
};

/* --- configuration ----------------------------------------------------------------------------------- */

static int read_config(const json_t *config, struct service_config *ret)
{
	double port = node_number(config, "port", 0), concurrency = node_number(config, "concurrency", 0);
	double queue = node_number(config, "queue", QUEUE),
	       service_ms = node_number(config, "service_time_ms", 0);
	double age_ms = node_number(config, "max_connection_age_ms", 0);

	if (!(port >= 1 && port <= 65535) || !(concurrency >= 0 && concurrency <= 1e6) ||
	    !(queue >= 0 && queue <= 1e6) || !(service_ms >= 0 && service_ms <= 1e9) ||
	    !(age_ms >= 0 && age_ms <= 1e9)) {
		log_line("port, concurrency, queue, service_time_ms or max_connection_age_ms out of range");
		return -EINVAL;
	}
	*ret = (struct service_config){ .port = (uint16_t)port,
		                        .concurrency = (unsigned)concurrency,
		                        .queue = (unsigned)queue,
		                        .service_time = (mono_ns)(service_ms * NS_PER_MS),
		                        .max_connection_age = (mono_ns)(age_ms * NS_PER_MS) };
	return 0;
}

/* The folder by its path, or by a descriptor: its path may be closed to our uid. */
static int open_store(struct dynamodb *d, const json_t *config)
{
	char path[64];
	const char *folder = node_string(config, "store", NULL);
	double map_mb = node_number(config, "map_size_mb", MAP_MB);

	if (!folder && d->node->fds[0] >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", d->node->fds[0]);
		folder = path;
	}
	if (!folder || !(map_mb >= 1 && map_mb <= 1 << 20)) {
		log_line("no folder for the store, or map_size_mb out of range");
		return -EINVAL;
	}
	int result = store_open(folder, (size_t)map_mb << 20, &d->store);
	return result < 0 ? log_errno(result, "cannot open the store in '%s'", folder) : 0;
}

/* {"name", "type"} of a key, into a CreateTable request. */
static void add_key(json_t *request, const json_t *key, const char *kind)
{
	const char *name = node_string(key, "name", "");

	json_array_append_new(
	    json_object_get(request, "AttributeDefinitions"),
	    json_pack("{s:s, s:s}", "AttributeName", name, "AttributeType", node_string(key, "type", "S")));
	json_array_append_new(json_object_get(request, "KeySchema"),
	                      json_pack("{s:s, s:s}", "AttributeName", name, "KeyType", kind));
}

static int create_table(struct dynamodb *d, const json_t *table)
{
	const char *name = node_string(table, "name", "");
	json_t *request = json_pack("{s:s, s:s, s:[], s:[]}", "TableName", name, "BillingMode",
	                            "PAY_PER_REQUEST", "AttributeDefinitions", "KeySchema");

	add_key(request, json_object_get(table, "hash"), "HASH");
	if (json_object_get(table, "range")) add_key(request, json_object_get(table, "range"), "RANGE");
	enum error_code code = service_run(d->service, "DynamoDB_20120810.CreateTable", request);
	json_decref(request);
	if (code == ERROR_NONE || code == ERROR_IN_USE) return 0;
	log_line("cannot create table '%s': %s", name, error_name(code));
	return -EINVAL;
}

static int create_tables(struct dynamodb *d, const json_t *tables)
{
	int result = 0;

	for (size_t i = 0; i < json_array_size(tables) && result == 0; i++)
		result = create_table(d, json_array_get(tables, i));
	return result;
}

/* --- what is told ------------------------------------------------------------------------------------ */

static void on_store_event(int error, void *arg)
{
	struct dynamodb *d = arg;

	if (error == 0)
		node_event(d->node, "store.writable", 0, NULL);
	else if (error == -ENOSPC)
		node_event(d->node, "store.full", 0, NULL);
	else
		node_event(d->node, "store.failed", 0, json_pack("{s:s}", "error", strerror(-error)));
}

static json_t *counts_since(const struct service_counts *now, const struct service_counts *last)
{
	json_t *counts = json_object();

	/* places in the table don't change */
	for (size_t i = 0; now[i].name; i++)
		if (now[i].n > last[i].n)
			json_object_set_new(counts, now[i].name,
			                    json_integer((json_int_t)(now[i].n - last[i].n)));
	return counts;
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct dynamodb *d = arg;
	struct service_figures f;

	(void)fd, (void)what;
	service_figures(d->service, &f);
	node_sample(d->node, "dynamodb",
	            json_pack("{s:o, s:o, s:I, s:i, s:i, s:i}", "requests",
	                      counts_since(f.operations, d->last.operations), "errors",
	                      counts_since(f.errors, d->last.errors), "commits",
	                      (json_int_t)(f.commits - d->last.commits), "in_work", (int)f.in_work, "queued",
	                      (int)f.queued, "connections", (int)f.connections));
	d->last = f;
	store_tidy(d->store);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int start_samples(struct dynamodb *d)
{
	struct timeval period = { .tv_sec = SAMPLE_PERIOD_S };

	d->sample_timer = event_new(d->node->base, -1, EV_PERSIST, on_sample, d);
	return d->sample_timer && event_add(d->sample_timer, &period) == 0 ? 0 : -ENOMEM;
}

static int start(struct node *n, json_t *config)
{
	static struct dynamodb d;
	struct service_config service;
	int result = read_config(config, &service);

	d.node = n;
	n->self = &d;
	if (result < 0 || (result = open_store(&d, config)) < 0) return result;
	if ((result = rlimit_raise_files()) < 0)
		return log_errno(result, "cannot raise the limit of open files");
	if ((result = service_start(n->base, &service, d.store, on_store_event, &d, &d.service)) < 0)
		return log_errno(result, "cannot listen on port %u", service.port);
	result = create_tables(&d, json_object_get(config, "tables"));
	return result < 0 ? result : start_samples(&d);
}

static int on_set(struct node *n, json_t *body)
{
	struct dynamodb *d = n->self;
	struct service_config config;
	int result = read_config(json_object_get(body, "config"), &config);

	if (result == 0) service_configure(d->service, &config);
	return result;
}

int main(void)
{
	static const struct node_message messages[] = { { "set", on_set }, { 0 } };
	static const struct node_ops ops = { .daemon = "dynamodb", .start = start, .messages = messages };

	return node_run(&ops);
}
