/* leaselab.h - for tests and benchmarks: DWFM hosts and droplets as real processes, in one namespace, with a
 * name server whose answer for DynamoDB's name can be taken away.
 *
 *   127.0.0.53 names     127.0.0.10 DynamoDB     127.0.0.1 droplets (8300), dwfm (8400)
 *
 * Everything ends with the test program; failing to set up ends it. */
#ifndef AZLAB_LEASELAB_H
#define AZLAB_LEASELAB_H
#include "common/cleanup.h"
#include "common/mono.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LEASELAB_NAMES "127.0.0.53"
#define LEASELAB_STORE "127.0.0.10"
enum { LEASELAB_STORE_PORT = 8000, LEASELAB_LEASE_PORT = 8300, LEASELAB_SEED = 5 };

struct leaselab {
	int ns;
	_Atomic bool *gone; /* shared with the name server: the name has no address */
	pid_t names;
};
static struct leaselab leaselab;

static inline void leaselab_die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- the name server --------------------------------------------------------------------------------- */

/* Turns a question into its answer in place: same id and question; one A record unless the name is gone.
 * Its TTL is 0, so that an outage begins when it is said to. */
static inline size_t leaselab_answer(uint8_t *m, size_t len, bool gone)
{
	static const uint8_t record[] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0 /* TTL */, 0, 4 };
	in_addr_t address = inet_addr(LEASELAB_STORE);
	size_t end = 12;

	while (end + 5 < len && m[end])
		end += m[end] + 1u;
	bool any = !gone && m[end + 2] == 1;
	end += 5;
	m[2] = 0x81, m[3] = 0x80;
	m[6] = 0, m[7] = any;
	m[8] = m[9] = m[10] = m[11] = 0;
	if (!any) return end;
	memcpy(m + end, record, sizeof(record));
	memcpy(m + end + sizeof(record), &address, 4);
	return end + sizeof(record) + 4;
}

static inline void leaselab_serve_names(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	uint8_t message[512];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	inet_pton(AF_INET, LEASELAB_NAMES, &at.sin_addr);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) _exit(1);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message) - 32, 0, (struct sockaddr *)&from, &len);
		if (n < 17) continue;
		size_t out = leaselab_answer(message, (size_t)n, *leaselab.gone);
		sendto(fd, message, out, 0, (struct sockaddr *)&from, len);
	}
}

static inline void leaselab_names(void)
{
	leaselab.gone =
	    mmap(NULL, sizeof(*leaselab.gone), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (leaselab.gone == MAP_FAILED) leaselab_die("mmap");
	if ((leaselab.names = fork()) < 0) leaselab_die("fork");
	if (leaselab.names > 0) return;
	testnet_enter(leaselab.ns);
	leaselab_serve_names();
}

/* --- the processes ----------------------------------------------------------------------------------- */

/* Namespace and name server; the store is leasestore.h's. */
static inline void leaselab_start(void)
{
	leaselab.ns = testnet_new();
	leaselab_names();
}

static inline struct testnode *leaselab_droplets(int count, int slots)
{
	static const int none;

	return testnode_start(&(struct testnode_spec){
	    .ns = leaselab.ns,
	    .daemon = "droplets",
	    .name = "az1.droplets",
	    .zone = "az1",
	    .seed = LEASELAB_SEED,
	    .config = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "zone", "az1", "first", 1, "count", count,
	                        "slots", slots, "port", LEASELAB_LEASE_PORT, "launch_time_ms", 50),
	    .keep_caps = &none });
}

/* A host's configuration; knobs (consumed) are laid over what is common to all. */
static inline json_t *leaselab_dwfm_config(const char *holder, int droplets, json_t *knobs)
{
	json_t *config =
	    json_pack("{s:s, s:s, s:{s:s, s:i, s:i, s:i, s:i, s:i}, s:[{s:s, s:s, s:i, s:i, s:i}]}", "holder",
	              holder, "resolver", LEASELAB_NAMES, "dynamodb", "name", "dynamodb.lab", "port",
	              LEASELAB_STORE_PORT, "max_connection_age_ms", 1000, "timeout_ms", 1000, "attempts", 3,
	              "pause_ms", 50, "droplets", "zone", "az1", "address", "127.0.0.1", "port",
	              LEASELAB_LEASE_PORT, "first", 1, "count", droplets);

	json_object_update(config, knobs);
	json_decref(knobs);
	return config;
}

static inline struct testnode *leaselab_dwfm(const char *name, json_t *config)
{
	static const int none;

	return testnode_start(&(struct testnode_spec){ .ns = leaselab.ns,
	                                               .daemon = "dwfm",
	                                               .name = name,
	                                               .zone = "region",
	                                               .seed = LEASELAB_SEED,
	                                               .config = config,
	                                               .keep_caps = &none });
}
#endif
