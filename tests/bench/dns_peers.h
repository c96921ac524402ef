/* dns_peers.h - for the benchmark: knsupdate, and dnsperf asking for the endpoint meanwhile. */
#ifndef AZLAB_BENCH_DNS_PEERS_H
#define AZLAB_BENCH_DNS_PEERS_H
#include "common/cleanup.h"
#include "common/dns_update.h"
#include "proto/dns_plan.h"
#include "tests/netns/testnet.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static inline pid_t peer_run(int ns, const char *const *argv, const char *in, const char *out)
{
	pid_t pid = fork();

	if (pid > 0) return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	testnet_enter(ns);
	int from = open(in, O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (from < 0 || to < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(126);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static inline void peer_wait(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
	fprintf(stderr, "%s failed, or isn't installed\n", what);
	exit(1);
}

/* --- knsupdate --------------------------------------------------------------------------------------- */

/* The first n records of the plan's tree, so many in a transaction, one transaction after another; returns
 * records a second. */
static inline double knsupdate_rate(int ns, const char *dir, const char *server, const struct dns_key *key,
                                    const struct dns_plan *plan, size_t n, size_t per_message)
{
	char script[256], out[256];
	struct dns_plan_walk walk;
	struct dns_record r;
	size_t i = 0;

	snprintf(script, sizeof(script), "%s/knsupdate.txt", dir);
	snprintf(out, sizeof(out), "%s/knsupdate.out", dir);
	cleanup_fclose FILE *f = fopen(script, "we");
	if (!f) exit(1);
	fprintf(f, "server %s\nzone %s.\nkey %s:%s %s\n", server, plan->zone, key->algorithm, key->name,
	        key->secret);
	dns_plan_walk(&walk, plan);
	for (; i < n && dns_plan_next(&walk, &r); i++) {
		fprintf(f, "add %s %u %s %s\n", r.owner.text, r.ttl_s, r.type, r.rdata);
		if ((i + 1) % per_message == 0) fputs("send\n", f);
	}
	fputs(i % per_message ? "send\nquit\n" : "quit\n", f);
	fflush(f);
	mono_ns begun = mono_now();
	peer_wait(peer_run(ns, (const char *const[]){ "knsupdate", script, NULL }, "/dev/null", out),
	          "knsupdate");
	return (double)i * NS_PER_S / (double)(mono_now() - begun);
}

/* --- dnsperf ----------------------------------------------------------------------------------------- */

struct dnsperf {
	pid_t pid;
	char out[256];
};
struct dnsperf_result {
	double rate;
	unsigned long completed, lost, noerror; /* those under way when it is stopped count as neither */
};

static inline struct dnsperf dnsperf_start(int ns, const char *dir, const char *server, const char *queries,
                                           unsigned rate)
{
	char data[256], limit[16];
	struct dnsperf d;

	snprintf(data, sizeof(data), "%s/queries.txt", dir);
	snprintf(d.out, sizeof(d.out), "%s/dnsperf.out", dir);
	snprintf(limit, sizeof(limit), "%u", rate);
	cleanup_fclose FILE *f = fopen(data, "we");
	if (!f) exit(1);
	fputs(queries, f);
	fflush(f);
	d.pid = peer_run(ns,
	                 (const char *const[]){ "dnsperf", "-s", server, "-d", data, "-c", "1", "-T", "1",
	                                        "-Q", limit, "-l", "3600", NULL },
	                 "/dev/null", d.out);
	return d;
}

static inline struct dnsperf_result dnsperf_stop(struct dnsperf *d)
{
	struct dnsperf_result r = { 0 };
	bool complete = false;
	char line[512];

	kill(d->pid, SIGINT);
	peer_wait(d->pid, "dnsperf");
	cleanup_fclose FILE *f = fopen(d->out, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *codes = strstr(line, "NOERROR ");
		if (codes) sscanf(codes, "NOERROR %lu", &r.noerror);
		sscanf(line, " Queries completed: %lu", &r.completed);
		sscanf(line, " Queries lost: %lu", &r.lost);
		if (sscanf(line, " Queries per second: %lf", &r.rate) == 1) complete = true;
	}
	if (complete) return r;
	fprintf(stderr, "dnsperf says nothing that is understood: %s\n", d->out);
	exit(1);
}
#endif
