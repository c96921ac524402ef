/* answer.h - the XML that EC2's clients read, by libxml2's writer. Pure.
 *
 *     struct answer a;
 *     answer_begin(&a, "DescribeInstances", request_id);
 *     answer_reservations(&a, instances, n);
 *     const char *body = answer_end(&a, &len);       // NULL without memory
 *     ...
 *     answer_release(&a);
 *
 * An error while writing sticks, and answer_end() tells it. Text has to be UTF-8 that XML may hold. */
#ifndef AZLAB_EC2_API_ANSWER_H
#define AZLAB_EC2_API_ANSWER_H
#include "ec2-api/api_error.h"
#include "ec2-api/instance.h"
#include <libxml/xmlwriter.h>
#include <stddef.h>

struct answer {
	xmlBuffer *buffer;
	xmlTextWriter *writer;
	bool failed;
};

/* <ACTIONResponse><requestId>... */
void answer_begin(struct answer *a, const char *action, const char *request_id);
const char *answer_end(struct answer *a, size_t *ret_len);
void answer_release(struct answer *a);

/* reservationSet; the array is put in the order of its reservations. */
void answer_reservations(struct answer *a, struct instance *instances, size_t n);
/* One reservation and its instances, as RunInstances answers. */
void answer_launched(struct answer *a, const char *reservation, const struct instance *const *instances,
                     size_t n);
/* instanceStatusSet */
void answer_statuses(struct answer *a, const struct instance *instances, size_t n);
struct state_change {
	const char *id;
	enum instance_state previous, current;
};
/* instancesSet, as TerminateInstances answers. */
void answer_changes(struct answer *a, const struct state_change *changes, size_t n);
/* <return>true</return> */
void answer_true(struct answer *a);
/* NULL or empty: there are no further pages. */
void answer_next_token(struct answer *a, const char *token);
/* The whole answer of a failed request, begun and ended. */
const char *answer_error(struct answer *a, const struct api_error *e, const char *request_id,
                         size_t *ret_len);
#endif
