/* lease.h - what a DWFM host and a droplet say to each other: UDP, one question a datagram, one answer each,
 * told apart by `request`. The one who asks repeats a question that got no answer, under the same number.
 *
 *     CHECK -> STATE          how are you?
 *     GRANT -> STATE          mine for so long; an epoch in the answer above the granted one: it isn't
 *     ORDER -> DONE, REFUSED  launch, terminate, reboot: repeated orders are carried out once
 *
 * One process stands for all droplets of a zone, so that a droplet is its number there. */
#ifndef AZLAB_PROTO_LEASE_H
#define AZLAB_PROTO_LEASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEASE_NAME_MAX = 32, LEASE_DATAGRAM_MAX = 256, LEASE_INSTANCE_MAX = 32 };

enum lease_kind {
	LEASE_CHECK = 1,
	LEASE_GRANT,
	LEASE_ORDER,
	LEASE_STATE,
	LEASE_DONE,
	LEASE_REFUSED,
};
enum lease_order { LEASE_LAUNCH = 1, LEASE_TERMINATE, LEASE_REBOOT };
enum lease_refusal {
	LEASE_OLD_EPOCH = 1, /* a newer holder has been here */
	LEASE_NO_LEASE,      /* the granted time has run out, or nothing was ever granted */
	LEASE_NO_SLOT,
	LEASE_UNKNOWN, /* no such droplet or instance */
	LEASE_FAILED,  /* the instance could not be made */
};

/* One datagram; which members count depends on kind. */
struct lease_message {
	enum lease_kind kind;
	uint32_t droplet;
	uint64_t request;
	char holder[LEASE_NAME_MAX];       /* CHECK, GRANT */
	uint64_t epoch;                    /* GRANT, ORDER: the sender's; STATE, REFUSED: the highest seen */
	uint32_t for_ms;                   /* GRANT */
	uint32_t slots, used;              /* STATE */
	enum lease_order order;            /* ORDER */
	bool real;                         /* ORDER: of the lab, not only of the books */
	char instance[LEASE_INSTANCE_MAX]; /* ORDER */
	char service[LEASE_NAME_MAX];      /* ORDER of a real one: whose target it becomes; may be empty */
	uint64_t cause;                    /* ORDER, DONE: id of the event behind it */
	enum lease_refusal why;            /* REFUSED */
};

/* The datagram's length, or -EMSGSIZE. */
int lease_encode(const struct lease_message *m, void *buf, size_t size);
/* 0, or -EBADMSG for anything but exactly one well-formed message, *ret untouched. Names (but for the
 * service's) are never empty, and they hold printable ASCII without blanks only; members that the kind
 * doesn't have are zero. */
int lease_decode(struct lease_message *ret, const void *buf, size_t len);

/* "old-epoch", "launch"; never NULL. */
const char *lease_refusal_text(enum lease_refusal why);
const char *lease_order_text(enum lease_order order);
#endif
