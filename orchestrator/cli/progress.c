#include "orchestrator/cli/progress.h"
#include "common/node.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PLAIN_PERIOD_S = 5 }; /* without a terminal the state is a line every so often */
enum { COLUMNS_MAX = 512 };

void progress_init(struct progress *p)
{
	struct winsize size = { 0 };

	*p = (struct progress){ .terminal = isatty(STDERR_FILENO), .columns = COLUMNS_MAX };
	if (p->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col &&
	    size.ws_col < COLUMNS_MAX)
		p->columns = size.ws_col;
}

void progress_end(struct progress *p)
{
	if (p->width) fprintf(stderr, "\r%*s\r", (int)p->width, "");
	p->width = 0;
}

__attribute__((format(printf, 2, 3))) static void line(struct progress *p, const char *format, ...)
{
	va_list args;

	if (p->quiet) return;
	progress_end(p);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void progress_step(struct progress *p, const char *what)
{
	line(p, "         %s", what);
}

static void on_phase(struct progress *p, double t, const json_t *fields)
{
	snprintf(p->phase, sizeof(p->phase), "%s", node_string(fields, "phase", ""));
	line(p, "%7.1f  phase %s", t, p->phase);
}

static void on_step(struct progress *p, double t, const json_t *fields)
{
	line(p, "%7.1f  > %s", t, node_string(fields, "action", ""));
}

static void on_zone(struct progress *p, double t, const char *event, const json_t *fields)
{
	line(p, "%7.1f  %s %s %s (%d of %d healthy, %d well%s)%s%s", t, node_string(fields, "service", ""),
	     node_string(fields, "zone", ""), strrchr(event, '.') + 1, (int)node_number(fields, "healthy", 0),
	     (int)node_number(fields, "of", 0), (int)node_number(fields, "well", 0),
	     node_number(fields, "overloaded", 0) > 0 ? ", overloaded" : "",
	     json_object_get(fields, "reason") ? ": " : "", node_string(fields, "reason", ""));
}

void progress_event(struct progress *p, double t, const char *node, const char *event, const json_t *fields)
{
	if (strcmp(event, "phase") == 0)
		on_phase(p, t, fields);
	else if (strcmp(event, "step") == 0)
		on_step(p, t, fields);
	else if (strncmp(event, "zone.", 5) == 0)
		on_zone(p, t, event, fields);
	else if (strncmp(event, "failopen.", 9) == 0)
		line(p, "%7.1f  %s %s (%s)", t, node, event, node_string(fields, "scope", ""));
	else if (strcmp(event, "node.exited") == 0 && !node_bool(fields, "expected", true))
		line(p, "%7.1f  %s ended: %s", t, node, node_string(fields, "how", ""));
}

/* Dashes where a zone's name would stand: the others keep their places. */
static const char *gap(const char *zone)
{
	static const char dashes[] = "---------------";
	size_t len = strlen(zone);
	return len < sizeof(dashes) ? dashes + sizeof(dashes) - 1 - len : dashes;
}

static void zones_in_dns(const struct lab *lab, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t s = 0; s < lab->topology->n_services; s++) {
		if (lab->topology->n_services > 1 && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s:", s ? "  " : "",
			                         lab->topology->services[s].name);
		for (size_t z = 0; z < lab->topology->n_zones && used < size; z++)
			used += (size_t)snprintf(text + used, size - used, " %s",
			                         lab->answer[s] >> z & 1 ? lab->topology->zones[z]
			                                                 : gap(lab->topology->zones[z]));
	}
}

void progress_second(struct progress *p, const struct lab *lab)
{
	char zones[512], rate[32] = "no requests", state[COLUMNS_MAX];
	bool due = p->terminal || ++p->seconds % PLAIN_PERIOD_S == 0;

	if (p->quiet || !due) return;
	zones_in_dns(lab, zones, sizeof(zones));
	if (!isnan(lab->recent_error_rate))
		snprintf(rate, sizeof(rate), "%5.1f %% errors", 100 * lab->recent_error_rate);
	progress_end(p);
	/* a line that wraps could not be rewritten */
	snprintf(state, p->columns, "%7.1f  in DNS:%s   %s   [%s]", lab_time(lab, mono_now()), zones, rate,
	         p->phase);
	fprintf(stderr, p->terminal ? "%s" : "%s\n", state);
	if (p->terminal) p->width = (unsigned)strlen(state);
	fflush(stderr);
}
