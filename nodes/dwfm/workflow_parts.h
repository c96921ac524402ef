/* workflow_parts.h - the insides of workflow.h. */
#ifndef AZLAB_DWFM_WORKFLOW_PARTS_H
#define AZLAB_DWFM_WORKFLOW_PARTS_H
#include "dwfm/store.h"
#include "dwfm/workflow.h"

enum step { QUEUED, RECORD, ORDER, CONFIRM, FORGET };

struct workflow {
	LIST_ENTRY(workflow) link;
	struct dwfm *dwfm;
	enum lease_order kind;
	enum step step;
	char id[STORE_WORKFLOW_ID_MAX]; /* of its row */
	char instance[LEASE_INSTANCE_MAX], zone[LEASE_NAME_MAX], service[LEASE_NAME_MAX];
	bool real;
	uint64_t cause;
	struct droplet *droplet;      /* from RECORD on */
	struct worker *worker;        /* whose hands it is in, until it is recorded */
	struct http_request *request; /* NULL: nobody waits, or no more */
	bool abandoned;               /* its caller was told that it failed */
	struct event deadline, again;
	struct question question;
	mono_ns queued, taken, ordered, done;
};

/* workflow_answer.c: tell the caller, if one still waits, and the orchestrator. */
void workflow_answer_ok(struct workflow *f);
void workflow_answer_error(struct workflow *f, const char *error);
#endif
