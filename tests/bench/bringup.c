/* How long the network of a lab takes to come up and go down, for 30 and 300 instances, beside the least that
 * any program must ask the kernel for: the same namespaces, links and addresses, in batches on one thread,
 * without sysctls, routes, names, resolver files and proof of ownership. Medians of five; as root.
 *
 * It runs on a host of its own (mounts and network), as the tests do. Rounds are half a second apart, or the
 * kernel would still be freeing the namespaces of one while the next is measured. */
#include "tests/netns/test_build_host.h"
#include "tests/netns/test_build_plan.h"
#include "orchestrator/network/build.h"
#include "orchestrator/network/build_links.h"
#include "orchestrator/network/netns.h"
#include "common/mono.h"

enum { ROUNDS = 5 };

struct times {
	mono_ns up, down;
};

static void must(int result, const char *what)
{
	if (result >= 0) return;
	fprintf(stderr, "%s: %s\n", what, strerror(-result));
	exit(1);
}

static struct times lab_round(const struct plan *p)
{
	struct build_error e;
	struct build *b;
	mono_ns begin = mono_now();

	if (build_up(p, "bench", &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	mono_ns built = mono_now();
	build_down(b);
	return (struct times){ .up = built - begin, .down = mono_now() - built };
}

static void build_bare(const struct plan *p, int *ns, int *sockets, struct netlink_batch *b)
{
	int home = netns_current();

	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].kind == PLAN_HELPER) continue;
		must(ns[i] = netns_new(), "namespace");
		must(sockets[i] = netlink_open(), "socket");
	}
	netns_return(home);
	close(home);
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].kind == PLAN_HELPER || p->nodes[i].parent < 0) continue;
		if (b->socket != sockets[p->nodes[i].parent]) {
			must(netlink_flush(b), "links");
			netlink_start(b, sockets[p->nodes[i].parent]);
		}
		must(build_link(b, p, i, ns[i]), "link");
	}
	must(netlink_flush(b), "links");
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].kind == PLAN_HELPER) continue;
		netlink_start(b, sockets[i]);
		must(build_addresses(b, p, i), "addresses");
		must(netlink_flush(b), "addresses");
	}
}

static struct times bare_round(const struct plan *p)
{
	int *ns = malloc(p->n_nodes * sizeof(*ns)), *sockets = malloc(p->n_nodes * sizeof(*sockets));
	struct netlink_batch *b = calloc(1, sizeof(*b));

	if (!ns || !sockets || !b) abort();
	b->socket = -1;
	mono_ns begin = mono_now();
	build_bare(p, ns, sockets, b);
	mono_ns built = mono_now();
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].kind == PLAN_HELPER) continue;
		close(sockets[i]);
		close(ns[i]);
	}
	struct times t = { .up = built - begin, .down = mono_now() - built };
	free(ns);
	free(sockets);
	free(b);
	return t;
}

static int compare(const void *a, const void *b)
{
	const mono_ns *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static double median_ms(mono_ns *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return (double)values[ROUNDS / 2] / 1e6;
}

static void settle(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NS_PER_S / 2 }, NULL);
}

static double report(const char *what, mono_ns *up, mono_ns *down)
{
	double median = median_ms(up);

	printf("  %-28s up %7.1f ms (%.1f-%.1f), down %6.1f ms\n", what, median, (double)up[0] / 1e6,
	       (double)up[ROUNDS - 1] / 1e6, median_ms(down));
	return median;
}

/* The two take turns: what else the machine does meets both. */
static void measure(const struct plan *p)
{
	mono_ns bare_up[ROUNDS], bare_down[ROUNDS], lab_up[ROUNDS], lab_down[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		settle();
		struct times t = bare_round(p);
		bare_up[i] = t.up;
		bare_down[i] = t.down;
		settle();
		t = lab_round(p);
		lab_up[i] = t.up;
		lab_down[i] = t.down;
	}
	double bare = report("bare", bare_up, bare_down), lab = report("azlab", lab_up, lab_down);
	printf("  azlab / bare %.2f\n", lab / bare);
}

int main(void)
{
	static const int per_zone[] = { 10, 100 };

	test_host_enter();
	for (size_t i = 0; i < 2; i++) {
		struct plan *p = test_plan(per_zone[i]);
		printf("%d instances, %zu namespaces\n", 3 * per_zone[i], p->n_nodes);
		measure(p);
		test_plan_free(p);
	}
	return 0;
}
