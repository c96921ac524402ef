/* health_rx.h - receives the checkers' health reports over UDP and acknowledges their parts (proto/health.h),
 * marked as network control, once they have taken effect. */
#ifndef AZLAB_HEALTH_RX_H
#define AZLAB_HEALTH_RX_H
#include "proto/health.h"
#include <event2/event.h>
#include <netinet/in.h>

struct health_rx_ops {
	/* Each well-formed part; false: it is not to be acknowledged. */
	bool (*report)(const struct health_report *report, void *arg);
	void (*drained)(void *arg); /* after a burst of them; may be NULL */
	void *arg;
};

/* Listens on address:PORT_HEALTH_REPORT as long as the process lives. Only what comes from the checker
 * counts; 0.0.0.0: from anyone. 0 or -errno, with the reason logged. */
int health_rx_open(struct event_base *base, struct in_addr address, struct in_addr checker,
                   const struct health_rx_ops *ops);
#endif
