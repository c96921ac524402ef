/* health.h - health reports: health-checker to nlb and az-failover, UDP, acknowledged.
 *
 * A report carries the state of every registered target of one service in the checker's zone, but those that
 * are still pending, split over parts when they are many. It is sent at once when a state changes and
 * repeated every second. The receiver answers each part with an acknowledgement of (service, sequence, part).
 * Only a report with a sequence newer than the last one from that sender counts; equal ones are acknowledged
 * again. */
#ifndef AZLAB_PROTO_HEALTH_H
#define AZLAB_PROTO_HEALTH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEALTH_TARGETS_PER_PART = 64, HEALTH_DATAGRAM_MAX = 1400 };

struct health_target {
	uint32_t id; /* the instance's number, unique in the run */
	bool healthy;
	uint64_t event; /* id of the event that made it so, 0 if none yet */
};
struct health_report {
	uint16_t zone;     /* index of the zone in the topology */
	uint16_t service;  /* index of the service in the topology */
	uint32_t epoch;    /* the checker's incarnation: a restarted one begins a higher one */
	uint32_t sequence; /* grows with every change and every repetition */
	uint16_t part, parts;
	uint16_t total; /* targets in all parts */
	uint16_t n;     /* targets in this part */
	struct health_target targets[HEALTH_TARGETS_PER_PART];
};
struct health_ack {
	uint16_t zone, service;
	uint32_t epoch, sequence;
	uint16_t part;
};

/* Encodes into buf; returns the datagram's length, or -EMSGSIZE. */
int health_report_encode(const struct health_report *r, void *buf, size_t size);
int health_ack_encode(const struct health_ack *a, void *buf, size_t size);
/* Decodes a whole datagram; 0, or -EBADMSG for anything but exactly one well-formed message. */
int health_report_decode(struct health_report *ret, const void *buf, size_t len);
int health_ack_decode(struct health_ack *ret, const void *buf, size_t len);
#endif
