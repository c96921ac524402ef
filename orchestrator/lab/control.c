#include "orchestrator/lab/control.h"
#include "common/cleanup.h"
#include "common/node.h"
#include "orchestrator/lab/commands.h"
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { REQUEST_MAX = 64 * 1024, FOLLOWER_BACKLOG_MAX = 16 << 20, ARGS_MAX = 128, CLOSE_PATIENCE_MS = 1000 };

struct caller {
	struct control *control;
	struct bufferevent *bev;
	bool follows;
	LIST_ENTRY(caller) others;
};

struct control {
	struct lab *lab;
	struct evconnlistener *listener;
	LIST_HEAD(, caller) callers;
};

static void caller_free(struct caller *c)
{
	LIST_REMOVE(c, others);
	bufferevent_free(c->bev);
	free(c);
}

static void say(struct caller *c, json_t *line)
{
	cleanup_free char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	if (text) evbuffer_add_printf(bufferevent_get_output(c->bev), "%s\n", text);
}

/* --- carrying out ------------------------------------------------------------------------------------ */

static void say_events(struct caller *c)
{
	const struct record *r = c->control->lab->record;

	for (size_t i = 0; i < r->n_events; i++) {
		cleanup_free char *line =
		    json_dumps(r->events[i].json, JSON_COMPACT | JSON_REAL_PRECISION(12));
		if (line) say(c, json_pack("{s:s++}", "out", line, "\n", ""));
	}
}

static int events(struct caller *c, size_t argc, const char *const *argv)
{
	c->follows = argc == 2 && strcmp(argv[1], "--follow") == 0;
	if (argc > 1 && !c->follows) {
		say(c, json_pack("{s:s+++}", "err", "azlab events: no lab is called '", argv[1], "'", "\n"));
		return 2;
	}
	say_events(c);
	return 0;
}

static int carry_out(struct caller *c, size_t argc, const char *const *argv, bool json)
{
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (argc > 0 && strcmp(argv[0], "events") == 0) return events(c, argc, argv);
	FILE *out = open_memstream(&text, &size);
	if (!out) return 4;
	int status = lab_command(c->control->lab, argc, argv, json, out);
	fclose(out);
	if (size) say(c, json_pack("{s:s}", status ? "err" : "out", text));
	return status;
}

static void on_request(struct caller *c, const char *line)
{
	const char *argv[ARGS_MAX];
	json_t *request = json_loads(line, 0, NULL), *word;
	size_t argc = 0, i;
	int status = 2;

	json_array_foreach (json_object_get(request, "argv"), i, word)
		if (json_is_string(word) && argc < ARGS_MAX) argv[argc++] = json_string_value(word);
	if (argc > 0) status = carry_out(c, argc, argv, node_bool(request, "json", false));
	json_decref(request);
	if (!c->follows) say(c, json_pack("{s:i}", "status", status));
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	cleanup_free char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);

	if (line)
		on_request(c, line);
	else if (evbuffer_get_length(in) > REQUEST_MAX)
		caller_free(c);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	(void)bev, (void)what;
	caller_free(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
                      void *arg)
{
	struct control *control = arg;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct caller *c = calloc(1, sizeof(*c));

	(void)address, (void)len;
	/* the socket's mode says it already; this holds even if someone changes that */
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid() ||
	    !(c->bev =
	          bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE))) {
		close(fd);
		free(c);
		return;
	}
	c->control = control;
	LIST_INSERT_HEAD(&control->callers, c, others);
	bufferevent_setcb(c->bev, on_read, NULL, on_end, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void control_event(struct control *control, const char *line)
{
	struct caller *c, *next;

	if (!control) return;
	for (c = LIST_FIRST(&control->callers); c; c = next) {
		next = LIST_NEXT(c, others);
		if (!c->follows) continue;
		if (evbuffer_get_length(bufferevent_get_output(c->bev)) > FOLLOWER_BACKLOG_MAX)
			caller_free(c); /* it doesn't read: it must not eat the lab's memory */
		else
			say(c, json_pack("{s:s+}", "out", line, "\n"));
	}
}

/* --- life -------------------------------------------------------------------------------------------- */

static int socket_address(const char *lab, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), OWN_ROOT "/%s/control", lab);
	return n < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

int control_open(struct lab *lab, struct control **ret)
{
	struct sockaddr_un address;
	struct control *c = calloc(1, sizeof(*c));
	int result = socket_address(lab->name, &address);

	if (!c || result < 0) {
		free(c);
		return result < 0 ? result : -ENOMEM;
	}
	c->lab = lab;
	LIST_INIT(&c->callers);
	mode_t before = umask(0177);
	c->listener =
	    evconnlistener_new_bind(lab->base, on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
	                            -1, (struct sockaddr *)&address, sizeof(address));
	result = c->listener ? 0 : -errno;
	umask(before);
	if (result < 0) {
		free(c);
		return result;
	}
	*ret = c;
	return 0;
}

/* What was said last, such as the answer to `down`, still goes out; a caller that doesn't read loses it. */
static void say_rest(struct caller *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	struct pollfd fd = { .fd = bufferevent_getfd(c->bev), .events = POLLOUT };

	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	evbuffer_unfreeze(out, 1); /* a bufferevent keeps others from taking out of its buffer */
	while (evbuffer_get_length(out) > 0)
		if (evbuffer_write(out, fd.fd) < 0 &&
		    (errno != EAGAIN || poll(&fd, 1, CLOSE_PATIENCE_MS) <= 0))
			return;
}

void control_close(struct control *c)
{
	if (!c) return;
	while (!LIST_EMPTY(&c->callers)) {
		struct caller *first = LIST_FIRST(&c->callers);
		say_rest(first);
		caller_free(first);
	}
	evconnlistener_free(c->listener);
	free(c);
}

/* --- the client's side ------------------------------------------------------------------------------- */

static int send_request(FILE *stream, size_t argc, const char *const *argv, bool json)
{
	json_t *words = json_array();

	for (size_t i = 0; i < argc; i++)
		json_array_append_new(words, json_string(argv[i]));
	json_t *request = json_pack("{s:o, s:b}", "argv", words, "json", json);
	int result = json_dumpf(request, stream, JSON_COMPACT);
	json_decref(request);
	return result < 0 || fputc('\n', stream) == EOF || fflush(stream) == EOF ? -EPIPE : 0;
}

static int copy_answer(FILE *stream, FILE *out)
{
	cleanup_free char *line = NULL;
	size_t size = 0;
	int status = -EPIPE; /* the lab ended before it answered */

	while (status == -EPIPE && getline(&line, &size, stream) > 0) {
		json_t *answer = json_loads(line, 0, NULL);
		fputs(node_string(answer, "err", ""), stderr);
		fputs(node_string(answer, "out", ""), out);
		fflush(out);
		if (json_object_get(answer, "status")) status = (int)node_number(answer, "status", 4);
		json_decref(answer);
	}
	return status;
}

int control_call(const char *lab, size_t argc, const char *const *argv, bool json, FILE *out)
{
	struct sockaddr_un address;
	int result = socket_address(lab, &address);
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (result < 0) return result;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) return -errno;
	cleanup_fclose FILE *stream = fdopen(fd, "r+");
	if (!stream) return -errno;
	take_fd(&fd);
	if ((result = send_request(stream, argc, argv, json)) < 0) return result;
	return copy_answer(stream, out);
}
