/* upstream.h - what the API asks of others over the wire: DWFM's hosts to launch, end and reboot instances,
 * the network manager to connect them.
 *
 * Who owns which droplet is DWFM's affair. A launch is offered to its hosts one after another, until one
 * takes it; an order about an instance goes to the host that launched it first. A host that didn't answer
 * in time may have done it all the same, so nobody else is asked then.
 *
 * done() is called once, mostly later. Strings of a reply are borrowed until it returns. */
#ifndef AZLAB_EC2_API_UPSTREAM_H
#define AZLAB_EC2_API_UPSTREAM_H
#include "ec2-api/api.h"

enum dwfm_outcome {
	DWFM_DONE,
	DWFM_NO_CAPACITY, /* no droplet with a lease has room */
	DWFM_OVERLOADED,
	DWFM_TIMED_OUT,
	DWFM_UNAVAILABLE, /* it or what it stands on */
	DWFM_UNKNOWN,     /* it knows no such instance */
	DWFM_OUTCOMES
};
struct dwfm_reply {
	enum dwfm_outcome outcome;
	unsigned host;       /* that has done it */
	const char *droplet; /* of a launch */
	int64_t epoch;
};
typedef void dwfm_done(const struct dwfm_reply *reply, void *arg);

/* until: when the launch has lost its worth. */
void dwfm_launch(struct api *api, const struct instance *i, uint64_t cause, mono_ns until, dwfm_done *done,
                 void *arg);
/* what: "terminate" or "reboot". */
void dwfm_order(struct api *api, const char *what, const struct instance *i, uint64_t cause, mono_ns until,
                dwfm_done *done, void *arg);
/* The API's own error for it. */
enum api_code dwfm_code(enum dwfm_outcome outcome);

enum network_outcome {
	NETWORK_DONE,     /* every agent has acknowledged */
	NETWORK_DETACHED, /* the instance has been detached meanwhile */
	NETWORK_FAILED    /* not reached, no answer in time */
};
/* address: of a real instance, else "". */
typedef void network_done(enum network_outcome outcome, const char *address, void *arg);
void network_attach(struct api *api, const struct instance *i, uint64_t cause, network_done *done, void *arg);
/* Done as soon as the manager knows: it tells the agents by itself. */
void network_detach(struct api *api, const struct instance *i, uint64_t cause, network_done *done, void *arg);
#endif
