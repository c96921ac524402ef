/* record_load.c - a run folder's facts read back into a record. */
#include "orchestrator/verdict/record.h"
#include "common/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { COLUMNS = 6 };

/* One of the two files while it is read, line by line. */
struct reader {
	struct record *record;
	const char *name;
	unsigned line;
	char *error; /* 256 bytes */
};

static int malformed(const struct reader *in, const char *why)
{
	snprintf(in->error, 256, "%s:%u: %s", in->name, in->line, why);
	return -EBADMSG;
}

/* --- events.jsonl ------------------------------------------------------------------------------------ */

static int read_event(struct reader *in, char *text)
{
	json_error_t why;
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!json_is_object(line)) {
		json_decref(line);
		return malformed(in, line ? "expected an object" : why.text);
	}
	struct record_event e = { .json = line };
	double t = record_number(&e, "t", 0);
	json_int_t id = json_integer_value(json_object_get(line, "id"));
	json_int_t cause = json_integer_value(json_object_get(line, "cause"));
	if (id <= 0 || cause < 0 || !json_is_number(json_object_get(line, "t")) ||
	    !*record_text(&e, "event")) {
		json_decref(line);
		return malformed(in, "expected t, id, cause and event");
	}
	json_incref(line); /* consumed as the fields; the names are borrowed from it meanwhile */
	record_event(in->record, t, (uint64_t)id, (uint64_t)cause, record_text(&e, "node"),
	             record_text(&e, "zone"), record_text(&e, "event"), line);
	json_decref(line);
	return 0;
}

/* --- metrics.csv ------------------------------------------------------------------------------------- */

/* Cuts the next field off a CSV line (RFC 4180) in place and moves *at to the one after it, or to NULL after
 * the last. NULL if quotes aren't closed. */
static char *next_field(char **at)
{
	char *field = *at, *out = field, *in = field;

	if (*in == '"') {
		for (in++; *in && (*in != '"' || in[1] == '"'); in++) {
			if (*in == '"') in++;
			*out++ = *in;
		}
		if (*in++ != '"' || (*in && *in != ',')) return NULL;
	} else {
		out = in += strcspn(in, ",");
	}
	*at = *in ? in + 1 : NULL;
	*out = '\0';
	return field;
}

static int read_metric(struct reader *in, char *text)
{
	char *fields[COLUMNS], *t_end, *value_end, *at = text;

	if (in->line == 1)
		return strncmp(text, "t,node,", 7) ? malformed(in, "expected the header t,node,...") : 0;
	text[strcspn(text, "\r\n")] = '\0';
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!at) return malformed(in, "expected 6 columns");
		if (!(fields[i] = next_field(&at))) return malformed(in, "quotes that aren't closed");
	}
	double t = strtod(fields[0], &t_end), value = strtod(fields[5], &value_end);
	if (at || t_end == fields[0] || *t_end || value_end == fields[5] || *value_end || !*fields[4]) {
		return malformed(in, "expected t,node,zone,service,metric,value");
	}
	record_metric(in->record, t, fields[1], fields[2], fields[3], fields[4], value);
	return 0;
}

/* --- both -------------------------------------------------------------------------------------------- */

static int read_lines(int folder, struct reader *in, int (*read_line)(struct reader *, char *))
{
	cleanup_close int fd = openat(folder, in->name, O_RDONLY | O_CLOEXEC);
	cleanup_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	cleanup_free char *text = NULL;
	size_t size = 0;
	ssize_t len;
	int r = 0;

	if (!file) {
		if (errno == ENOENT) return 0;
		snprintf(in->error, 256, "cannot open '%s': %s", in->name, strerror(errno));
		return -errno;
	}
	take_fd(&fd);
	while (r == 0 && (len = getline(&text, &size, file)) > 0) {
		in->line++;
		if (text[len - 1] != '\n') break; /* cut short */
		if (strlen(text) != (size_t)len) return malformed(in, "a zero byte");
		r = read_line(in, text);
	}
	if (r == 0 && ferror(file)) {
		snprintf(in->error, 256, "cannot read '%s'", in->name);
		return -EIO;
	}
	return r;
}

int record_load(const char *folder, struct record **ret, char error[256])
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		int e = -errno;
		snprintf(error, 256, "cannot open '%.200s': %s", folder, strerror(errno));
		return e;
	}
	struct record *r = record_new(-1, -1, RECORD_KEEP_ALL);
	if (!r) return -ENOMEM;
	struct reader events = { .record = r, .name = "events.jsonl", .error = error };
	struct reader metrics = { .record = r, .name = "metrics.csv", .error = error };
	int result = read_lines(fd, &events, read_event);
	if (result == 0) result = read_lines(fd, &metrics, read_metric);
	if (result == 0 && (result = record_error(r)) < 0) snprintf(error, 256, "%s", strerror(-result));
	if (result < 0) {
		record_free(r);
		return result;
	}
	*ret = r;
	return 0;
}
