/* gather.h - rows of the table "instances" by their ids. */
#ifndef AZLAB_EC2_API_GATHER_H
#define AZLAB_EC2_API_GATHER_H
#include "ec2-api/api.h"

struct gathered {
	enum api_code code;            /* API_OK, or why not all could be read */
	size_t n;                      /* rows found, in the order of the ids */
	struct instance *rows;         /* borrowed until done() returns */
	char missing[INSTANCE_ID_MAX]; /* one that isn't there; empty: all are */
};
typedef void gather_done(const struct gathered *g, void *arg);

/* done() comes once. Ids are copied. */
void gather_rows(struct api *api, const char *const *ids, size_t n, gather_done *done, void *arg);
/* Those that a call names by InstanceId, done(..., c) then; fails the call if it names none, or is dry. */
void gather_named(struct call *c, gather_done *done);
/* Fails the call if a row is missing or could not be read; true: it may go on. */
bool gathered_all(const struct gathered *g, struct call *c);
/* The first row for which it is so, or NULL. */
const struct instance *gathered_first(const struct gathered *g, bool (*is_so)(const struct instance *));
#endif
