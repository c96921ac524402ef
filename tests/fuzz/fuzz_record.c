// with: orchestrator/verdict/record.c orchestrator/verdict/record_load.c
/* A run folder's files may come from anywhere: reading them must end in a record or an error. The first byte
 * chooses the file. */
#include "orchestrator/verdict/record.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/azlab-fuzz-XXXXXX";
static int folder_fd = -1;

static void leave(void)
{
	unlinkat(folder_fd, "events.jsonl", 0);
	unlinkat(folder_fd, "metrics.csv", 0);
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	if (!mkdtemp(folder) || (folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) abort();
	atexit(leave);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record *r = NULL;
	char error[256] = "";

	if (size == 0) return 0;
	const char *name = data[0] & 1 ? "metrics.csv" : "events.jsonl";
	int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	/* rows need the header before them to be looked at */
	static const char header[] = "t,node,zone,service,metric,value\n";
	if (data[0] & 1 && write(fd, header, sizeof(header) - 1) < 0) abort();
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) abort();
	close(fd);
	int result = record_load(folder, &r, error);
	if (result == 0) record_free(r);
	if (result < 0 && (r || !error[0])) abort();
	unlinkat(folder_fd, name, 0);
	return 0;
}
