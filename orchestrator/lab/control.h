/* control.h - the running lab's control socket: /run/azlab/LAB/control, mode 0600, root's only.
 *
 * A client sends one JSON line {"argv": [...], "json": bool}; the answer is JSON lines {"out": text} and
 * {"err": text}, for the two outputs, and at last {"status": n}. "events" answers with the events so far, and
 * with "--follow" goes on with new ones. The folder is the lab's own, so nobody else can have put something
 * there. Errors are -errno. */
#ifndef AZLAB_CONTROL_H
#define AZLAB_CONTROL_H
#include "orchestrator/lab/lab.h"

struct control;
int control_open(struct lab *lab, struct control **ret);
/* Hands an event to those who follow. */
void control_event(struct control *c, const char *line);
void control_close(struct control *c);

/* The client's side: sends one command to a lab and copies what it says to out. Returns the command's exit
 * status, or -errno if the lab can't be reached. */
int control_call(const char *lab, size_t argc, const char *const *argv, bool json, FILE *out);
#endif
