/* replay_wait.h - what the steps of a replay are made of: waiting for a message, an event or an answer, and
 * releasing. What doesn't come within 30 s, or is another, ends the program as replay.h has it. */
#ifndef AZLAB_REPLAY_WAIT_H
#define AZLAB_REPLAY_WAIT_H
#include "tests/model/replay.h"

struct step {
	struct replay *r;
	struct replay_enactor *e;
	const struct trail_step *s;
	const struct dns_plan *plan;
	const char *endpoint; /* NULL: none */
};
typedef bool step_check(const struct step *s);

typedef bool message_check(const struct step *s, const struct relay_message *m);

void step_await(const struct step *s, step_check *check, const char *what);
/* The oldest message of the enactor that is held and passes, or NULL. */
struct relay_message *step_held(const struct step *s, message_check *check);
/* Lets it go, and waits for the server's answer: its rcode. */
int step_release(const struct step *s, struct relay_message *m);
/* A transaction's answer: taken, or refused for a prerequisite. */
void step_expect_answer(const struct step *s, int rcode, bool taken);
bool step_has_event(const struct step *s);
/* The next event is that one, about the step's plan. */
void step_expect_event(const struct step *s, const char *event);
#endif
