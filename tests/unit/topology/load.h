/* load.h - topologies from texts, for tests: the file is a memory file, and messages lose its name. */
#ifndef AZLAB_TEST_LOAD_H
#define AZLAB_TEST_LOAD_H
#include "orchestrator/topology/topology.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The shortest topology there is, for tests to add to. */
#define MINIMAL "zones: [az1, az2]\nservices: {shop: }\n"

struct loaded {
	struct topology *t;
	struct topology_error error;
	char message[1024]; /* the error without the file's name */
	char *warnings;
	int result;
};

static inline struct loaded load_bytes(const char *text, size_t len, const char *const *sets, size_t n)
{
	struct loaded l = { 0 };
	char path[64];
	int fd = memfd_create("topology", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l.result = topology_load(path, sets, n, &l.t, &l.warnings, &l.error);
	close(fd);
	size_t prefix = strncmp(l.error.text, path, strlen(path)) ? 0 : strlen(path) + 1;
	memcpy(l.message, l.error.text + prefix, sizeof(l.message) - prefix);
	return l;
}
static inline struct loaded load_text(const char *text)
{
	return load_bytes(text, strlen(text), NULL, 0);
}
static inline struct loaded load_with(const char *text, const char *set)
{
	return load_bytes(text, strlen(text), &set, 1);
}
static inline struct loaded load_well(const char *text)
{
	struct loaded l = load_text(text);
	if (l.result < 0) fail_msg("refused: %s", l.message);
	return l;
}
static inline void unload(struct loaded *l)
{
	topology_free(l->t);
	free(l->warnings);
}
static inline char *print_text(const struct topology *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(topology_print(t, out), 0);
	fclose(out);
	return text;
}
#endif
