/* topology_schema.h - the tables of a topology file and what they share with commands. */
#ifndef AZLAB_TOPOLOGY_SCHEMA_H
#define AZLAB_TOPOLOGY_SCHEMA_H
#include "orchestrator/topology/schema.h"

/* Of struct topology, struct service_config and struct dns_automation_config. */
extern const struct schema topology_schema;
extern const struct schema topology_service_schema;
/* Of struct ec2_config. */
extern const struct schema topology_ec2_schema;
extern const struct schema topology_dns_automation_schema;
/* A service's list of stages, and an expectation's bounds. */
extern const struct schema_custom topology_stages_custom;
extern const struct schema_custom topology_bounds_custom;

/* Fills in a stage's type and its parameters' defaults; false if no stage has that name. */
bool topology_stage_init(struct stage_config *s, const char *name);
/* Sets one parameter from text. 0, or -EINVAL with *error saying what was expected. */
int topology_stage_set(struct stage_config *s, const char *key, const char *value, char *error, size_t size);

/* Writes a chain as topologies have it: [{velocity: {max_removed: 34%, per: 60s}}]. */
void topology_stages_print(const struct stage_config *stages, size_t n, FILE *out);

enum figure_kind { FIGURE_NUMBER, FIGURE_FRACTION, FIGURE_SECONDS, FIGURE_WORD, FIGURE_OBJECT };
/* What an expectation can bound: the figures of summary.json; ends with an empty name. */
struct topology_figure {
	const char *name;
	enum figure_kind kind;
	const char *help;
};
extern const struct topology_figure topology_figures[];

/* Cross-checks between the parts of a topology that the tables can't see. */
int topology_check(const struct yaml *y, const struct yaml_node *root, const struct topology *t,
                   char **warnings);
int topology_check_ec2(const struct yaml *y, const struct yaml_node *root, const struct topology *t);
int topology_check_dns_automation(const struct yaml *y, const struct yaml_node *root,
                                  const struct topology *t);
int topology_check_actions(const struct yaml *y, const struct yaml_node *root, const struct topology *t);
/* True if text names a zone, "internet", "region" or a node that the topology has or can get. */
bool topology_place(const struct topology *t, const char *text);
/* True if text is the name of an instance of a service: az1.shop-1. */
bool topology_instance(const struct topology *t, const char *text);
/* Whether topology_with_all() would work, but for the scenario's actions, which may be what asks. */
int topology_try(const struct topology *t, const char *const *sets, size_t n, struct topology_error *error);
#endif
