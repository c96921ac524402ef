/* command_call.h - what the files that carry out commands share: one command being carried out. */
#ifndef AZLAB_COMMAND_CALL_H
#define AZLAB_COMMAND_CALL_H
#include "orchestrator/lab/lab.h"

enum { STATUS_OK = 0, STATUS_USAGE = 2, STATUS_FAILED = 4 };

/* Its words fit the topology: lab_command() has seen to that. */
struct call {
	struct lab *lab;
	size_t argc;
	char *const *argv; /* argv[0] is the verb */
	bool json;
	FILE *out;
	uint64_t step; /* the event of this step, the cause of what it does; made by call_begin() */
};
/* From here on the command changes something: it is a step of the record. */
void call_begin(struct call *c);
void call_print_json(const struct call *c, const json_t *value);

/* Knobs turned as one step; wrong ones are none. Returns a status. */
int call_set(struct call *c, const char *const *sets, size_t n);
/* The same with the words from the first-th on, KEY=VALUE, as settings ABOVE.KEY=VALUE. */
int call_set_below(struct call *c, const char *above, size_t first);
/* Tells a node, with this step as the cause. Returns a status; the others go on if one doesn't hear. */
int call_tell(struct call *c, const char *node, json_t *message);
/* As JSON or as print() has it; consumes the value. Returns STATUS_OK. */
int call_show(struct call *c, json_t *value, void (*print)(const json_t *, FILE *));

/* "dns ...", "ec2 ...", "dwfm ..." */
int command_dns(struct call *c);
int command_ec2(struct call *c);
int command_dwfm(struct call *c);
#endif
