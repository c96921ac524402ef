#include "dns-planner/serve.h"
#include "common/cleanup.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { BACKLOG = 128, HEADERS_MAX = 8192, IDLE_S = 60 };

static void answer(struct evhttp_request *request, int status, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
	evhttp_send_reply(request, status, NULL, body);
}

static bool list_plans(struct evhttp_request *request, const struct plan_store *store,
                       struct plan_store_list *list)
{
	int r = plan_store_list(store, list);

	if (r < 0) evhttp_send_error(request, HTTP_INTERNAL, strerror(-r));
	return r == 0;
}

/* --- one plan ---------------------------------------------------------------------------------------- */

/* The file goes out without passing through our memory; libevent closes it. */
static int add_file(struct evbuffer *body, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0) return -errno;
	if (!S_ISREG(st.st_mode)) return -ENOENT;
	if (st.st_size == 0) return 0; /* libevent refuses a segment without a byte */
	return evbuffer_add_file(body, fd, 0, st.st_size) < 0 ? -ENOMEM : 1;
}

static void send_plan(struct evhttp_request *request, const struct plan_store *store, uint64_t number)
{
	const char *known = evhttp_find_header(evhttp_request_get_input_headers(request), "If-None-Match");
	cleanup_close int fd = store_open_plan(store, number);
	struct evbuffer *body = evbuffer_new();
	char tag[32];

	snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", number);
	int r = fd < 0 ? fd : body ? add_file(body, fd) : -ENOMEM;
	if (r == 1) take_fd(&fd);
	if (r == -ENOENT || r == -ELOOP) {
		evhttp_send_error(request, HTTP_NOTFOUND, "no such plan");
	} else if (r < 0) {
		evhttp_send_error(request, HTTP_INTERNAL, strerror(-r));
	} else {
		bool same = known && !strcmp(known, tag);
		evhttp_add_header(evhttp_request_get_output_headers(request), "ETag", tag);
		answer(request, same ? HTTP_NOTMODIFIED : HTTP_OK, same ? NULL : body);
	}
	if (body) evbuffer_free(body);
}

static void send_newest(struct evhttp_request *request, const struct plan_store *store)
{
	static struct plan_store_list list;

	if (!list_plans(request, store, &list)) return;
	if (list.n == 0)
		evhttp_send_error(request, HTTP_NOTFOUND, "no plan yet");
	else
		send_plan(request, store, list.numbers[list.n - 1]);
}

/* --- all of them ------------------------------------------------------------------------------------- */

static void send_list(struct evhttp_request *request, const struct plan_store *store)
{
	static struct plan_store_list list;

	if (!list_plans(request, store, &list)) return;
	json_t *numbers = json_array();
	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(numbers, json_integer((json_int_t)list.numbers[i]));
	json_t *o = json_pack("{s:o, s:o}", "newest",
	                      list.n ? json_integer((json_int_t)list.numbers[list.n - 1]) : json_null(),
	                      "plans", numbers);
	cleanup_free char *text = json_dumps(o, 0);
	struct evbuffer *body = evbuffer_new();
	if (text && body) evbuffer_add(body, text, strlen(text));
	answer(request, text && body ? HTTP_OK : HTTP_INTERNAL, body);
	if (body) evbuffer_free(body);
	json_decref(o);
}

/* --- requests ---------------------------------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9') return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && !*end;
}

static void learn_what_is_in_force(struct plan_store *store, const struct evhttp_uri *uri)
{
	const char *query = evhttp_uri_get_query(uri);
	struct evkeyvalq values;
	uint64_t number;

	if (!query || evhttp_parse_query_str(query, &values) < 0) return;
	const char *text = evhttp_find_header(&values, "in_force");
	if (text && read_number(text, &number)) store->in_force = number;
	evhttp_clear_headers(&values);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct plan_store *store = arg;
	uint64_t number;

	if (!path) path = "";
	if (uri) learn_what_is_in_force(store, uri);
	if (!strcmp(path, "/plans"))
		send_list(request, store);
	else if (!strcmp(path, "/plans/newest"))
		send_newest(request, store);
	else if (!strncmp(path, "/plans/", 7) && read_number(path + 7, &number))
		send_plan(request, store, number);
	else
		evhttp_send_error(request, HTTP_NOTFOUND, "no such document");
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int off = 0, on = 1;

	if (fd < 0) return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

int plan_serve_open(struct event_base *base, struct plan_store *store, uint16_t port)
{
	struct evhttp *http = evhttp_new(base);
	cleanup_close int fd = listen_on(port);

	if (!http) return -ENOMEM;
	if (fd < 0 || evhttp_accept_socket(http, fd) < 0) {
		evhttp_free(http);
		return fd < 0 ? fd : -ENOMEM;
	}
	take_fd(&fd);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET); /* libevent would answer HEAD with a body */
	evhttp_set_max_headers_size(http, HEADERS_MAX);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_timeout(http, IDLE_S);
	evhttp_set_gencb(http, on_request, store);
	return 0;
}
