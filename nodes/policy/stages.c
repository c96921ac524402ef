#include "policy/stages.h"
#include <string.h>

const struct stage_type *const stage_types[] = {
	&stage_velocity,
	&stage_hold_down,
	&stage_disabled,
	NULL,
};

const struct stage_type *stage_find(const char *name)
{
	for (const struct stage_type *const *type = stage_types; *type; type++)
		if (!strcmp((*type)->name, name)) return *type;
	return NULL;
}
