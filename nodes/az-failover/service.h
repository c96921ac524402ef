/* service.h - failover for one service: its verdicts, its answer at the DNS server, and the events that tell
 * of both. zone.removed and zone.restored are told when the server has acknowledged the change. */
#ifndef AZLAB_AZF_SERVICE_H
#define AZLAB_AZF_SERVICE_H
#include "az-failover/answer.h"
#include "common/health_inbox.h"
#include "common/node.h"

struct azf_service;

/* zones are the zones' names, borrowed for good. 0 or -errno. */
int azf_service_new(struct node *n, struct dns_client *client, const struct azf_service_config *config,
                    const char (*zones)[AZF_NAME_MAX], struct azf_service **ret);
void azf_service_free(struct azf_service *s);
/* The checker of a zone has reported. */
void azf_service_report(struct azf_service *s, unsigned zone, const struct health_count *health);
/* A knob was turned; cause is that event's id or 0. 0 or -errno, the former configuration then staying. */
int azf_service_configure(struct azf_service *s, const struct azf_service_config *config, uint64_t cause);
/* Reports the sample "answer", if the answer is known. */
void azf_service_sample(struct azf_service *s);
#endif
