/* What one check costs: CPU time of the checker and of the backend it checks, over a veth between two
 * namespaces, for TCP and HTTP, beside HAProxy's checker in the same run and against the same backend. The
 * two take turns; medians of five. build/tests/bench/checks        as root; takes about 60 s */
#include "common/cleanup.h"
#include "common/mono.h"
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { TARGETS = 500, INTERVAL_MS = 100, WARM_UP_MS = 1000, MEASURE_MS = 1500, ROUNDS = 5 };

static int near, far; /* checker's and backend's namespace */

static void make_network(void)
{
	near = testnet_new();
	far = testnet_new();
	testnet_link(near, "eth0", far, "eth0");
	testnet_run(near, "ip addr add 10.8.0.1/32 dev eth0 && ip route add 10.9.0.0/16 dev eth0"
	                  " && echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range");
	testnet_run(far, "ip route add local 10.9.0.0/16 dev lo && ip route add 10.8.0.0/16 dev eth0");
}

static const char *target_address(unsigned i)
{
	static char text[32];
	snprintf(text, sizeof(text), "10.9.%u.%u", 1 + i / 250, 1 + i % 250);
	return text;
}

/* --- measuring --------------------------------------------------------------------------------------- */

static double cpu_us(pid_t pid)
{
	clockid_t clock;
	struct timespec ts;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts) < 0) {
		perror("clock_getcpuclockid");
		exit(1);
	}
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Connections begun in the checker's namespace so far (RFC 4022 tcpActiveOpens): counts any checker's checks,
 * also those whose connection the backend never gets to accept. */
static unsigned long checks_begun(void)
{
	char line[1024];
	unsigned long active = 0;

	testnet_enter(near);
	cleanup_fclose FILE *f = fopen("/proc/thread-self/net/snmp", "re");
	testnet_enter(testnet_home());
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tcp: %*u %*u %*u %*d %lu", &active) == 1) break;
	return active;
}

/* CPU time a check, us; rate a second. */
struct cost {
	double rate, checker, backend;
};

static struct cost measure(const char *checker, pid_t pid, pid_t backend)
{
	testnode_idle(WARM_UP_MS);
	unsigned long checks = checks_begun();
	double ours = cpu_us(pid), theirs = cpu_us(backend);
	testnode_idle(MEASURE_MS);
	ours = cpu_us(pid) - ours;
	theirs = cpu_us(backend) - theirs;
	checks = checks_begun() - checks;
	if (checks == 0) {
		fprintf(stderr, "%s makes no checks\n", checker);
		exit(1);
	}
	return (struct cost){ .rate = (double)checks * 1000 / MEASURE_MS,
		              .checker = ours / (double)checks,
		              .backend = theirs / (double)checks };
}

static int compare(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;
	return (x->checker > y->checker) - (x->checker < y->checker);
}

static double report(const char *checker, const char *protocol, struct cost *rounds)
{
	const struct cost *median = &rounds[ROUNDS / 2];

	qsort(rounds, ROUNDS, sizeof(*rounds), compare);
	printf("%-15s %-4s %6.0f checks/s %6.1f us checker (%.1f-%.1f) %6.1f us backend\n", checker, protocol,
	       median->rate, median->checker, rounds[0].checker, rounds[ROUNDS - 1].checker, median->backend);
	return median->checker;
}

/* --- the two checkers -------------------------------------------------------------------------------- */

static struct cost measure_ours(const char *protocol, pid_t backend)
{
	json_t *targets = json_array();
	struct testnode *c = testnode_start(&(struct testnode_spec){
	    .ns = near,
	    .daemon = "health-checker",
	    .name = "az1.checker",
	    .zone = "az1",
	    .seed = 1,
	    .config = json_pack("{s:i, s:[], s:[{s:i, s:s, s:i, s:s, s:s, s:i, s:i}]}", "zone_index", 0,
	                        "report_to", "services", "service", 0, "name", "shop", "port", 80, "protocol",
	                        protocol, "path", "/health", "interval_ms", INTERVAL_MS, "timeout_ms",
	                        INTERVAL_MS) });

	for (unsigned i = 0; i < TARGETS; i++) {
		json_array_append_new(targets, json_pack("{s:i, s:s, s:s}", "id", i + 1, "name", "shop",
		                                         "addr4", target_address(i)));
	}
	testnode_targets(c, 0, targets);
	struct cost cost = measure("health-checker", testnode_pid(c), backend);
	if (testnode_count(c, json_pack("{s:s}", "event", "target.unhealthy")))
		printf("  some checks failed\n");
	testnode_stop(c);
	return cost;
}

static void write_haproxy_config(int fd, const char *protocol)
{
	FILE *f = fdopen(fd, "w");

	fprintf(f,
	        "global\n nbthread 1\n maxconn 100\ndefaults\n mode tcp\n timeout connect 1s\n timeout "
	        "client 1s\n"
	        " timeout server 1s\n timeout check %dms\nlisten shop\n bind 127.0.0.1:81\n%s",
	        INTERVAL_MS, strcmp(protocol, "http") ? "" : " option httpchk GET /health\n");
	for (unsigned i = 0; i < TARGETS; i++)
		fprintf(f, " server s%u %s:80 check inter %dms\n", i, target_address(i), INTERVAL_MS);
	fclose(f);
}

static pid_t start_haproxy(const char *config)
{
	pid_t pid = fork();

	if (pid > 0) return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	testnet_enter(near);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 1), dup2(null, 2);
	execlp("haproxy", "haproxy", "-db", "-f", config, (char *)NULL);
	_exit(127);
}

static struct cost measure_haproxy(const char *protocol, pid_t backend)
{
	char config[] = "/tmp/azlab-checks-XXXXXX";
	int status, fd = mkstemp(config);

	write_haproxy_config(fd, protocol);
	pid_t pid = start_haproxy(config);
	testnode_idle(500);
	if (waitpid(pid, &status, WNOHANG) == pid) {
		fprintf(stderr, "haproxy does not start (is it installed?)\n");
		unlink(config);
		exit(77);
	}
	struct cost cost = measure("haproxy", pid, backend);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(config);
	return cost;
}

static void compare_checkers(const char *protocol, pid_t backend)
{
	struct cost ours[ROUNDS], haproxys[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = measure_ours(protocol, backend);
		haproxys[i] = measure_haproxy(protocol, backend);
	}
	double mine = report("health-checker", protocol, ours), peer = report("haproxy", protocol, haproxys);
	printf("  health-checker / haproxy %.2f\n", mine / peer);
	fflush(stdout);
}

int main(void)
{
	static const char *const protocols[] = { "tcp", "http" };

	make_network();
	struct testnode *b = testnode_start(
	    &(struct testnode_spec){ .ns = far,
	                             .daemon = "backend",
	                             .name = "az1.shop-1",
	                             .zone = "az1",
	                             .seed = 1,
	                             .config = json_pack("{s:i, s:i, s:i, s:i}", "port", 80, "concurrency",
	                                                 1000, "queue", 1000, "service_time_ms", 0) });

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		compare_checkers(protocols[i], testnode_pid(b));
	return testnode_stop(b);
}
