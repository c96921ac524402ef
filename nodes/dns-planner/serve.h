/* serve.h - the plan store over HTTP, for whoever asks:
 *
 *   GET /plans           {"newest": 17, "plans": [15, 16, 17]}; newest is null in an empty store
 *   GET /plans/newest    the plan with the highest number, as it lies in the store
 *   GET /plans/N         that plan; 404 if there is none
 *
 * A plan's ETag is its number: If-None-Match answers 304. ?in_force=N tells what the asker knows to be in
 * force: that plan is kept. */
#ifndef AZLAB_DNS_PLANNER_SERVE_H
#define AZLAB_DNS_PLANNER_SERVE_H
#include "dns-planner/store.h"
#include <event2/event.h>

/* Serves on the port, IPv4 and IPv6, as long as the process lives. 0 or -errno. */
int plan_serve_open(struct event_base *base, struct plan_store *store, uint16_t port);
#endif
