/* azlab - an Availability-Zone failover laboratory on one Linux machine. */
#include "orchestrator/cli/cli.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAB_HELP "LAB may be left out when one lab is up."

const struct verb verbs[] = {
	{ "run", cli_run, "TOPOLOGY", "bring a lab up, play its scenario, judge it, take it down",
	  "Builds the region that TOPOLOGY describes, waits until every target passes its checks, plays the "
	  "scenario, "
	  "checks what the topology expects, writes the run folder and takes everything down.\n\n"
	  "Exit status: 0 all expectations held, 1 one failed, 2 bad usage or topology, 3 the machine was "
	  "too busy for the "
	  "run to be trusted, 4 the lab could not be built or broke down, 77 privileges missing." },
	{ "up", cli_up, "TOPOLOGY", "bring a lab up and leave it running",
	  "Returns when the lab is up, clients included; no scenario is played. It stays up until `azlab "
	  "down`.\n"
	  "Meanwhile: azlab status, fault, failover, instance, set, exec, capture, events." },
	{ "down", cli_down, "[LAB]", "take a running lab down",
	  "Returns when nothing of it is left. " LAB_HELP },
	{ "check", cli_check, "TOPOLOGY | --host", "is a topology valid? can this machine run labs?",
	  "Without options prints nothing and exits 0, or FILE:LINE:COLUMN: what is wrong and what was "
	  "expected.\n"
	  "Needs no privileges." },
	{ "ls", cli_ls, "", "the labs of this machine",
	  "Lists labs that are up, and what killed ones left (azlab clean removes that)." },
	{ "status", cli_call, "[LAB]", "what is in DNS, what is healthy, what is well", LAB_HELP },
	{ "exec", cli_exec, "[LAB] NODE -- COMMAND...", "run a command on a node",
	  "Runs COMMAND inside the node's network namespace, with the node's resolver, as `ip netns exec "
	  "LAB.NODE` does:\n"
	  "  azlab exec internet.client-1 -- curl -s shop.lab\n"
	  "  azlab exec az1 -- ip route\n" LAB_HELP },
	{ "capture", cli_capture, "[LAB] NODE|ZONE|all -w FILE.pcapng [FILTER]",
	  "capture packets of a node, a zone or all",
	  "A node: its own link. A zone: all links of its router. all: the backbone and every zone.\n"
	  "FILTER is a capture filter as tcpdump's: 'tcp port 80'. Ends with Ctrl-C, or --for.\n" LAB_HELP },
	{ "fault", cli_call, "[LAB] list | on NAME | off NAME | set NAME KEY=VALUE...",
	  "switch the topology's faults",
	  "Faults are decided by eBPF on each packet's last link; switching one is a write to a "
	  "map.\n" LAB_HELP },
	{ "failover", cli_call,
	  "[LAB] status | rate-limit on|off | enable | disable | policy STAGE[,STAGE...] [KEY=VALUE...]",
	  "the failover policy, live",
	  "rate-limit switches the topology's stages as one. disable puts all zones in service and acts no "
	  "more.\n"
	  "Stages: velocity (max_removed, per), hold-down (half_life), disabled.\n" LAB_HELP },
	{ "instance", cli_call,
	  "[LAB] launch|replace [SERVICE] ZONE [N] | terminate|kill|pause|resume|restart NODE",
	  "launch and end instances",
	  "launch registers N new instances at once, before their routes are there. replace ends the N "
	  "oldest and launches "
	  "N in the same instant. terminate deregisters, then ends; kill ends the process and leaves it "
	  "registered; restart kills any node's process and starts it again.\n" LAB_HELP },
	{ "ec2", cli_call, "[LAB] status | throttle RATE|off", "EC2: the API and who calls it",
	  "For topologies with ec2.\n"
	  "status: calls and errors by kind, the groups of the autoscaler.\n"
	  "throttle: the rate of calls past which the API answers RequestLimitExceeded, for instance "
	  "5/s.\n" LAB_HELP },
	{ "dwfm", cli_call,
	  "[LAB] status | throttle RATE|off | restart [HOST] | clear-queue [HOST] | set KEY=VALUE...",
	  "the droplets' lease manager, as its operator",
	  "For topologies with ec2.\n"
	  "status: leases held and expired, work queued and its age, good work a second.\n"
	  "throttle: the EC2 API's, so that less work comes in.\n"
	  "restart: kills a host (dwfm-1, or 1) or all, and starts it anew.\n"
	  "clear-queue: drops what waits there.\n"
	  "set: its knobs, such as set discipline=lifo deadlines=on (docs/topology.md, "
	  "ec2.dwfm).\n" LAB_HELP },
	{ "set", cli_call, "[LAB] PATH=VALUE...", "turn a knob of the topology while it runs",
	  "  azlab set clients.0.rate=288/s\n"
	  "  azlab set services.shop.health_check.fall=3\nList elements go by number. " LAB_HELP },
	{ "dns", cli_call,
	  "[LAB] status | plans | history | repair [enactor ZONE] | break | pin PLAN | unpin | planner "
	  "pause|resume "
	  "| "
	  "enactor ZONE pause|resume | freeze | unfreeze",
	  "the DNS automation: planner, enactors, zone",
	  "For topologies with dns_automation.\n"
	  "status: what each enactor does, each endpoint's plan and addresses, as the zone has them. plans: "
	  "the plan store. history: what was applied, deleted, aborted.\n"
	  "repair turns every endpoint to a tree that is there, out of band: without locks, from the "
	  "operator's console. repair enactor ZONE asks that zone's enactor to do it its own way. How either "
	  "ends, and how long it took, is an event: dns.repaired.\n"
	  "break, for drills: turns every endpoint to a tree that isn't there, as the race leaves them.\n"
	  "pin: all enactors apply that plan, whatever its age, and then no other, until unpin. freeze "
	  "pauses "
	  "the planner and all enactors, so that nothing about the endpoints changes.\n" LAB_HELP },
	{ "events", cli_call, "[LAB] [--follow]", "what has happened, as JSON lines", LAB_HELP },
	{ "report", cli_report, "RUN", "write a run folder's report.html anew",
	  "RUN is the folder that a run left." },
	{ "compare", cli_compare, "RUN RUN...", "run folders beside each other: figures and knobs",
	  "Prints a table with a column for each run and a row for each figure, of the whole runs and, if "
	  "asked, "
	  "of phases; what differs is marked *. Below it stand the knobs in which the runs' topologies "
	  "differ, as "
	  "PATH: the first run's -> the next one's. A figure that a run doesn't have is -.\n"
	  "Needs no privileges. Exit status: 0, also when they differ; 2 if one is no run folder." },
	{ "clean", cli_clean, "", "remove what killed labs left",
	  "Removes namespaces, files and processes of labs whose orchestrator is dead. Never touches a "
	  "living lab, nor "
	  "anything that does not carry azlab's own mark." },
	{ 0 },
};

/* Long words of usage push what the verb does to the next line. */
static void print_verb(const struct verb *v, FILE *out)
{
	enum { WIDTH = 28 };
	bool fits = strlen(v->args) <= WIDTH;

	fprintf(out, "  azlab %-9s %-*s", v->name, WIDTH, v->args);
	if (!fits) fprintf(out, "\n%*s", 2 + 6 + 9 + 1 + WIDTH, "");
	fprintf(out, " %s\n", v->brief);
}

static void print_help(FILE *out)
{
	fputs("azlab - an Availability-Zone failover laboratory: real load balancers, health checkers, DNS "
	      "and routes in\n"
	      "network namespaces; faults by eBPF; nothing about the outcome is scripted.\n\n",
	      out);
	for (const struct verb *v = verbs; v->name; v++)
		print_verb(v, out);
	fputs("\nrun and up take --name LAB, --out DIR (the run folder) and --set PATH=VALUE; run also "
	      "--seed N, --repeat N and\n"
	      "--json. check takes --plan: what would be created. status, ls, fault list, failover status,\n"
	      "compare and dns status|plans|history take --json.\n"
	      "LAB may be left out when one lab is up; it is called as its topology's file unless --name "
	      "said otherwise.\n"
	      "\nBegin with:   sudo azlab run topologies/az-thrash.yaml\n"
	      "Each command has its own --help. A scenario's steps are these same commands.\n"
	      "Exit status: 0 fine, 1 an expectation failed, 2 bad usage or topology, 3 run not to be "
	      "trusted,\n"
	      "4 the lab could not be built or broke down, 77 privileges missing.\n",
	      out);
}

/* Or a file of the run would become standard output, and get what is printed. */
static void open_standard_files(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0) close(fd);
}

int main(int argc, char **argv)
{
	open_standard_files();
	log_init("azlab", NULL);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_FINE;
	}
	for (const struct verb *v = verbs; v->name; v++)
		if (strcmp(argv[1], v->name) == 0) return v->run(v, argc - 1, argv + 1);
	fprintf(stderr, "azlab: there is no command '%s'; `azlab --help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
