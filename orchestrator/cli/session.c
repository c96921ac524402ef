#include "orchestrator/cli/session.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/verdict/junit.h"
#include "orchestrator/verdict/report.h"
#include "orchestrator/lab/scenario.h"
#include "orchestrator/verdict/summary.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

/* --- opening ----------------------------------------------------------------------------------------- */

static int say(int status, const char *text)
{
	fprintf(stderr, "azlab: %s\n", text);
	return status;
}

/* The lab's name from the file's: "topologies/az-thrash.yaml" makes "az-thrash". */
static void name_after(const char *file, char *name, size_t size)
{
	cleanup_free char *copy = strdup(file);

	snprintf(name, size, "%s", copy ? basename(copy) : "lab");
	char *dot = strrchr(name, '.');
	if (dot && dot != name) *dot = '\0';
	for (char *c = name; *c; c++)
		if (*c == '.' || *c == ' ') *c = '-';
}

static int check_privileges(void)
{
	if (geteuid() != 0)
		return say(EXIT_PRIVILEGES,
		           "building a lab needs root (namespaces, veths, BPF): run it with sudo");
	cap_value_t needed[] = { CAP_SYS_ADMIN, CAP_NET_ADMIN };
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (cap_get_bound(needed[i]) != 1)
			return say(EXIT_PRIVILEGES,
			           "this container lacks CAP_SYS_ADMIN or CAP_NET_ADMIN: run it privileged "
			           "(`azlab check --host` lists what is missing)");
	return EXIT_FINE;
}

static int load(struct session *s, const struct session_options *o, struct topology **ret)
{
	struct topology_error why;
	cleanup_free char *warnings = NULL;
	int result = topology_load(o->file, o->sets, o->n_sets, ret, &warnings, &why);

	(void)s;
	if (result < 0) {
		fprintf(stderr, "%s\n", why.text);
		return EXIT_USAGE;
	}
	if (warnings && *warnings) fputs(warnings, stderr);
	return EXIT_FINE;
}

static int open_record(struct session *s)
{
	char why[256];

	if (rundir_open(s->name, s->options->out, &s->rundir, why) < 0) return say(EXIT_USAGE, why);
	int events = rundir_create(s->rundir, "events.jsonl"),
	    metrics = rundir_create(s->rundir, "metrics.csv");
	if (events < 0 || metrics < 0) return say(EXIT_BROKEN, "cannot write in the run folder");
	s->record = record_new(events, metrics, s->options->keep);
	return s->record ? EXIT_FINE : say(EXIT_BROKEN, "no memory");
}

/* As run, with all defaults; the report shows it too. */
static int write_topology(struct session *s)
{
	size_t size = 0;
	FILE *text = open_memstream(&s->topology_text, &size), *out = NULL;
	int result = text ? topology_print(s->lab->topology, text) : -errno;

	if (text && fclose(text) == EOF) result = -errno;
	if (result == 0) result = rundir_stream(s->rundir, "topology.yaml", &out);
	if (result == 0 && fputs(s->topology_text, out) == EOF) result = -errno;
	if (out && fclose(out) == EOF && result == 0) result = -errno;
	if (result == 0) return EXIT_FINE;
	fprintf(stderr, "azlab: cannot write topology.yaml in the run folder: %s\n", strerror(-result));
	return EXIT_BROKEN;
}

/* --- showing ----------------------------------------------------------------------------------------- */

static void show_step(void *arg, const char *what)
{
	progress_step(&((struct session *)arg)->progress, what);
}

static void show_event(void *arg, double t, const char *node, const char *event, const json_t *fields)
{
	progress_event(&((struct session *)arg)->progress, t, node, event, fields);
}

static void show_recorded(void *arg, const char *line)
{
	control_event(((struct session *)arg)->control, line);
}

static void show_second(void *arg, struct lab *lab)
{
	progress_second(&((struct session *)arg)->progress, lab);
}

int session_open(struct session *s, const struct session_options *o)
{
	struct topology *t = NULL;
	time_t now = time(NULL);
	int status;

	*s = (struct session){ .options = o };
	signal(SIGPIPE, SIG_IGN); /* whoever reads our words or events may leave; the lab goes on */
	if (o->name)
		snprintf(s->name, sizeof(s->name), "%s", o->name);
	else
		name_after(o->file, s->name, sizeof(s->name));
	strftime(s->started, sizeof(s->started), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	progress_init(&s->progress);
	if ((status = load(s, o, &t)) != EXIT_FINE) return status;
	if ((status = check_privileges()) == EXIT_FINE && !own_lab_valid(s->name))
		status = say(
		    EXIT_USAGE,
		    "a lab's name is made of letters, digits, - and _, at most 32: choose one with --name");
	if (status == EXIT_FINE) status = open_record(s);
	if (status != EXIT_FINE) {
		topology_free(t);
		return status;
	}
	if (lab_new(t, s->name, s->rundir, s->record, &s->lab) < 0)
		return say(EXIT_BROKEN, s->lab && s->lab->error[0] ? s->lab->error : "no memory");
	s->lab->on_step = show_step;
	s->lab->on_event = show_event;
	s->lab->on_recorded = show_recorded;
	s->lab->on_second = show_second;
	s->lab->show_arg = s;
	return write_topology(s);
}

/* --- running ----------------------------------------------------------------------------------------- */

static int ended_early(struct session *s, int result)
{
	progress_end(&s->progress);
	if (s->lab->broken) return say(EXIT_BROKEN, s->lab->error);
	if (result == -EINTR) return say(EXIT_BROKEN, "interrupted; taking the lab down");
	return say(EXIT_BROKEN, strerror(-result));
}

int session_up(struct session *s)
{
	int result = lab_up(s->lab);

	if (result == 0 && (result = control_open(s->lab, &s->control)) < 0)
		lab_fail(s->lab, result, "cannot open the lab's control socket: %s", strerror(-result));
	if (result < 0) return ended_early(s, result);
	lab_start(s->lab);
	s->began = fidelity_probe_now();
	return EXIT_FINE;
}

static void judge(struct session *s, double end)
{
	struct fidelity_probe ended = fidelity_probe_now();
	struct summary_input in = { .topology = s->lab->topology,
		                    .record = s->record,
		                    .fidelity = s->lab->fidelity,
		                    .end = end,
		                    .lab = s->name,
		                    .started = s->started,
		                    .repeat = s->options->repeat };

	lab_count_lost(s->lab);
	if (s->lab->lab_errors)
		fidelity_doubt(s->lab->fidelity,
		               "%llu requests could not be sent for want of local ports or files",
		               (unsigned long long)s->lab->lab_errors);
	if (record_error(s->record) < 0)
		fidelity_doubt(s->lab->fidelity, "the record could not be written: %s",
		               strerror(-record_error(s->record)));
	fidelity_machine(s->lab->fidelity, &s->began, &ended);
	s->summary = summary_make(&in);
	if (s->summary)
		summary_record(s->summary, s->record, isfinite(end) ? end : lab_time(s->lab, mono_now()));
}

int session_play(struct session *s)
{
	int result = scenario_play(s->lab);

	progress_end(&s->progress);
	if (result < 0) {
		double end = lab_time(s->lab, mono_now());
		fidelity_doubt(s->lab->fidelity, "the run ended early: %s",
		               s->lab->broken ? s->lab->error : "interrupted");
		judge(s, end);
		return ended_early(s, result);
	}
	judge(s, INFINITY);
	return s->summary ? (int)summary_verdict(s->summary) : say(EXIT_BROKEN, "no memory for the summary");
}

/* --- closing ----------------------------------------------------------------------------------------- */

static int write_json(struct session *s, FILE *out)
{
	return summary_write_json(s->summary, out);
}

static int write_markdown(struct session *s, FILE *out)
{
	return summary_write_markdown(s->summary, out);
}

static int write_junit(struct session *s, FILE *out)
{
	return junit_write(s->summary, out);
}

/* From what is in memory, so that it is whole even if the disk was full meanwhile. */
static int write_report(struct session *s, FILE *out)
{
	const struct report_input in = { .record = s->record,
		                         .summary = s->summary,
		                         .topology_text = s->topology_text };
	return report_write(&in, out);
}

/* One file of the results, whole or not there. */
static int write_file(struct session *s, const char *name, int (*write)(struct session *, FILE *))
{
	FILE *out = NULL;
	int result = rundir_stream(s->rundir, name, &out);

	if (result == 0) {
		errno = 0;
		result = write(s, out);
		if (fclose(out) == EOF && result == 0) result = -errno;
	}
	if (result == 0) return 0;
	fprintf(stderr, "azlab: cannot write %s: %s\n", name, strerror(-result));
	if (out) unlinkat(s->rundir->fd, name, 0);
	return result;
}

/* The most important first: the disk may be nearly full. */
static int write_results(struct session *s)
{
	static const struct {
		const char *name;
		int (*write)(struct session *, FILE *);
	} files[] = {
		{ "summary.json", write_json },
		{ "summary.md", write_markdown },
		{ "junit.xml", write_junit },
		{ "report.html", write_report },
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		failed += write_file(s, files[i].name, files[i].write) < 0;
	return failed ? -EIO : 0;
}

int session_close(struct session *s, int status)
{
	char why[256];

	if (s->lab) lab_down(s->lab);
	control_close(s->control); /* after the last event, for those who follow */
	s->control = NULL;
	if (s->summary && write_results(s) < 0 && status == EXIT_FINE) status = EXIT_BROKEN;
	if (s->record) record_flush(s->record);
	if (s->rundir && rundir_finish(s->rundir, why) < 0) {
		fprintf(stderr, "azlab: %s\n", why);
		if (status == EXIT_FINE) status = EXIT_BROKEN;
	}
	lab_free(s->lab);
	record_free(s->record);
	rundir_free(s->rundir);
	json_decref(s->summary);
	free(s->topology_text);
	*s = (struct session){ 0 };
	return status;
}
