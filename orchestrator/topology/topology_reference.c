#include "orchestrator/topology/topology_schema.h"

static const char introduction[] =
    "# Topology reference\n"
    "\n"
    "Made from the tables that read topology files (`topology_reference()`); `make check` sees to it that it "
    "is\n"
    "current. A topology is one YAML file; `topologies/` has some to begin with. Only `zones` and `services` "
    "have to\n"
    "be there. Unknown keys are errors, and so are anchors, aliases, tags, doubled keys and files of more "
    "than 1 MiB.\n"
    "\n"
    "Durations carry a unit (`2us`, `250ms`, `30s`, `5m`, `1h`), rates too (`400/s`, `90/m`); shares are "
    "`34%` or\n"
    "`0.34`. Names are lower-case letters, digits and inner hyphens. Everything can be set from outside "
    "with\n"
    "`--set PATH=VALUE` and, while a lab runs, `azlab set PATH=VALUE`: keys joined by dots, services and "
    "faults by\n"
    "name, elements of lists by number from 0, such as `services.shop.targets.queue=32` or "
    "`clients.0.rate=288/s`.\n"
    "\n"
    "Commands in a scenario's `do`:\n"
    "\n"
    "    fault on NAME | off NAME | set NAME key=value...\n"
    "    failover rate-limit on|off | enable | disable | policy STAGE[,STAGE...] [key=value...]\n"
    "    instance launch|replace [SERVICE] ZONE [N] | terminate|kill|pause|resume|restart NODE\n"
    "    ec2 throttle RATE|off\n"
    "    dwfm throttle RATE|off | restart [HOST] | clear-queue [HOST] | set KEY=VALUE...\n"
    "    dns break | repair [enactor ZONE] | pin PLAN | unpin | freeze | unfreeze | planner pause|resume | "
    "enactor ZONE pause|resume\n"
    "    set PATH=VALUE...\n"
    "    exec NODE -- COMMAND...\n";

void topology_reference(FILE *out)
{
	fputs(introduction, out);
	schema_reference(out, &topology_schema, "");
}
