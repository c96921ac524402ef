/* dns_servers.h - the lab's DNS servers: what Knot (region.route53) and Unbound (each zone's and the
 * internet's resolver) are told, as text, and how to run them. Both run in the foreground without any
 * capability, as an unprivileged user, in a folder of their own; their log is standard error.
 *
 * Every service's DNS name is a zone of its own with the addresses at its apex, so names below another
 * service's name need no delegation: servers take the longest match. A service whose name the DNS automation
 * keeps has none: its name is in the zone of dns_automation.h. */
#ifndef AZLAB_DNS_SERVERS_H
#define AZLAB_DNS_SERVERS_H
#include "common/dns_update.h"
#include "orchestrator/lab/knot_clock.h"
#include "orchestrator/plan/plan.h"
#include <limits.h>
#include <sys/types.h>

enum { DNS_SERVER_ARGS_MAX = 8 };

/* How to run one server; argv ends with NULL and points into the same structure: don't copy it. */
struct dns_server_command {
	const char *argv[DNS_SERVER_ARGS_MAX];
	char config[PATH_MAX];
	const struct knot_clock *clock; /* what Knot is started with; NULL: nothing */
};

/* Knot's configuration for the node of that index; files live below dir, which is absolute. 0; -ENAMETOOLONG
 * if its control socket's path wouldn't fit; -EEXIST if two services share a name; -EIO. */
int dns_knot_config(const struct plan *p, size_t node, const char *dir, const struct dns_key *key, FILE *out);
/* The zone of one service as it stands at first: all zones' addresses in the answer. 0 or -EIO. */
int dns_knot_zone(const struct plan *p, size_t service, FILE *out);
/* Unbound's configuration for the node of that index. 0, -ENOENT without a route53 in the plan, or -EIO. */
int dns_unbound_config(const struct plan *p, size_t node, const char *dir, FILE *out);

/* Writes all that the node's server ("knot" or "unbound") needs below dir, which the caller has made and
 * which becomes the server's own, mode 0700, as everything in it: the key is for nobody else to read. Fills
 * in the command. -EINVAL if the node has another daemon; else the errors above, or -errno. */
int dns_server_prepare(const struct plan *p, size_t node, const char *dir, const struct dns_key *key,
                       uid_t uid, gid_t gid, struct dns_server_command *ret);
#endif
