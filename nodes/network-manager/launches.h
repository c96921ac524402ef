/* launches.h - the network manager's API for EC2's launches: HTTP, docs/ec2.md. Each is a change in the same
 * backlog as any other.
 *
 *     POST /attach {"instance", "zone", "real", "cause"}   answered when every agent has acknowledged:
 *                                                          200 {"instance", "zone", "addr4"}, or
 *                                                          409 if the instance was detached meanwhile
 *     POST /detach {"instance", "zone", "real", "cause"}   answered at once
 *
 * A virtual instance has no address; a key of its own stands for it, which agents acknowledge and install
 * nothing for. The routes of a real one are the lab's own: the orchestrator attaches the instance's node and
 * says whose it is; /attach waits for that. */
#ifndef AZLAB_NETWORK_MANAGER_LAUNCHES_H
#define AZLAB_NETWORK_MANAGER_LAUNCHES_H
#include "network-manager/backlog.h"
#include <event2/event.h>

struct launches;
/* changed() is called after each change that was put into the backlog, for it to be run. Errors are -errno.
 */
int launches_open(struct event_base *base, uint16_t port, struct backlog *backlog, void (*changed)(void *arg),
                  void *arg, struct launches **ret);
/* The orchestrator has attached or detached a node that is an EC2 instance. */
void launches_node(struct launches *l, const char *instance, const struct route_update *update);
/* All agents have acknowledged a change. */
void launches_completed(struct launches *l, const struct backlog_change *change);
#endif
