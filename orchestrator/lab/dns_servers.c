#include "orchestrator/lab/dns_servers.h"
#include "orchestrator/lab/dns_automation.h"
#include "common/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char control_socket[] = "knot.sock";

struct addr_text {
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN];
};

static struct addr_text text_of(const struct plan_addr *a)
{
	struct addr_text t;

	inet_ntop(AF_INET, &a->v4, t.v4, sizeof(t.v4));
	inet_ntop(AF_INET6, &a->v6, t.v6, sizeof(t.v6));
	return t;
}

static const struct plan_node *node_running(const struct plan *p, const char *daemon)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].daemon && !strcmp(p->nodes[i].daemon, daemon)) return &p->nodes[i];
	return NULL;
}

/* A name without the final dot that a topology may or may not write. */
static int bare_length(const char *name)
{
	size_t n = strlen(name);
	return (int)(n > 0 && name[n - 1] == '.' ? n - 1 : n);
}

/* The zone that holds a service's name: its own, or the one that the DNS automation writes. */
static const char *zone_of(const struct topology *t, size_t service)
{
	return topology_automated(t, service) ? dns_automation_zone(t) : t->services[service].dns_name;
}

static bool names_differ(const struct topology *t)
{
	for (size_t i = 0; i < t->n_services; i++) {
		const char *a = t->services[i].dns_name;
		for (size_t j = 0; j < i; j++) {
			const char *b = t->services[j].dns_name;
			if (bare_length(a) == bare_length(b) && !strncasecmp(a, b, (size_t)bare_length(a)))
				return false;
		}
	}
	return true;
}

static int written(FILE *out)
{
	return fflush(out) == EOF || ferror(out) ? -EIO : 0;
}

/* DNS counts whole seconds; a fraction is cut, as no cache may keep an answer longer than asked for. */
static unsigned seconds(mono_ns span)
{
	return (unsigned)(span / NS_PER_S);
}

/* --- Knot -------------------------------------------------------------------------------------------- */

int dns_knot_config(const struct plan *p, size_t node, const char *dir, const struct dns_key *key, FILE *out)
{
	struct addr_text own = text_of(&p->nodes[node].addr);
	const struct topology *t = p->topology;

	if (strlen(dir) + 1 + sizeof(control_socket) > sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	if (!names_differ(t)) return -EEXIST;
	fprintf(out,
	        "server:\n    rundir: \"%s\"\n    listen: [ %s@53, %s@53 ]\n    identity: \"\"\n    version: "
	        "\"\"\n"
	        "    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n"
	        "    udp-max-payload: 4096\n", /* the addresses of 64 zones fit one datagram */
	        dir, own.v4, own.v6);
	fprintf(out, "control:\n    listen: \"%s\"\n", control_socket);
	fprintf(out, "log:\n  - target: stderr\n    any: info\n");
	fprintf(out, "key:\n  - id: \"%s\"\n    algorithm: %s\n    secret: \"%s\"\n", key->name,
	        key->algorithm, key->secret);
	fprintf(out, "acl:\n  - id: lab\n    key: \"%s\"\n    action: update\n", key->name);
	fprintf(out,
	        "database:\n    storage: \"%s\"\n    journal-db-max-size: 256M\n    timer-db-max-size: 1M\n"
	        "    kasp-db-max-size: 5M\n    catalog-db-max-size: 5M\n",
	        dir);
	/* the zone file stays as it was at first: what changed is in the journal, and survives a restart with
	 * it */
	fprintf(out,
	        "template:\n  - id: default\n    storage: \"%s\"\n    file: \"%%s.zone\"\n    acl: lab\n"
	        "    zonefile-sync: -1\n    zonefile-load: whole\n    journal-content: changes\n"
	        "    journal-max-usage: 64M\n    semantic-checks: off\n",
	        dir);
	fprintf(out, "zone:\n");
	for (size_t s = 0; s < t->n_services; s++)
		fprintf(out, "  - domain: \"%.*s\"\n", bare_length(zone_of(t, s)), zone_of(t, s));
	return written(out);
}

int dns_knot_zone(const struct plan *p, size_t service, FILE *out)
{
	const struct service_config *s = &p->topology->services[service];
	const struct plan_node *server = node_running(p, "knot");
	unsigned ttl = seconds(s->dns_ttl), negative = seconds(s->dns_negative_ttl);
	int n = bare_length(s->dns_name);

	if (!server) return -ENOENT;
	struct addr_text ns = text_of(&server->addr);
	/* a negative answer lives for the smaller of the SOA's own TTL and its last field (RFC 2308, 5) */
	fprintf(out, "$ORIGIN %.*s.\n@ %u IN SOA ns hostmaster 1 3600 600 86400 %u\n", n, s->dns_name,
	        negative, negative);
	fprintf(out, "@ 3600 IN NS ns\nns 3600 IN A %s\nns 3600 IN AAAA %s\n", ns.v4, ns.v6);
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (service >= p->nodes[i].n_zonal) continue;
		struct addr_text zonal = text_of(&p->nodes[i].zonal[service]);
		fprintf(out, "@ %u IN A %s\n@ %u IN AAAA %s\n", ttl, zonal.v4, ttl, zonal.v6);
	}
	return written(out);
}

/* --- Unbound ----------------------------------------------------------------------------------------- */

static void allow_prefix(int zone, FILE *out)
{
	struct plan_prefix prefix = plan_prefix(zone);
	struct addr_text t = text_of(&(struct plan_addr){ .v4 = prefix.v4, .v6 = prefix.v6 });

	fprintf(out, "    access-control: %s/%u allow\n    access-control: %s/%u allow\n", t.v4, prefix.len4,
	        t.v6, prefix.len6);
}

/* Small caches and one thread: a lab has a handful of names and perhaps 65 resolvers. */
static const char unbound_fixed[] =
    "    port: 53\n"
    "    do-daemonize: no\n    chroot: \"\"\n    username: \"\"\n    pidfile: \"\"\n"
    "    use-syslog: no\n    logfile: \"\"\n    verbosity: 1\n    statistics-interval: 0\n"
    "    num-threads: 1\n    outgoing-range: 256\n    num-queries-per-thread: 512\n"
    "    msg-cache-size: 1m\n    rrset-cache-size: 2m\n    key-cache-size: 64k\n    neg-cache-size: 64k\n"
    "    do-ip4: yes\n    do-ip6: yes\n    do-udp: yes\n    do-tcp: yes\n"
    /* an iterator and nothing else: no DNSSEC, so no root, no trust anchor, no clock to agree with */
    "    module-config: \"iterator\"\n    qname-minimisation: no\n    target-fetch-policy: \"0 0 0 0 0\"\n"
    "    prefetch: no\n    serve-expired: no\n    rrset-roundrobin: yes\n    edns-buffer-size: 4096\n"
    /* a server that timed out is asked again after seconds, not after a quarter of an hour */
    "    infra-host-ttl: 2\n    infra-keep-probing: yes\n"
    "    access-control: 0.0.0.0/0 refuse\n    access-control: ::/0 refuse\n"
    "    access-control: 127.0.0.0/8 allow\n    access-control: ::1/128 allow\n"
    /* what the lab doesn't know is answered here and now, never asked for elsewhere */
    "    local-zone: \".\" refuse\n";

int dns_unbound_config(const struct plan *p, size_t node, const char *dir, FILE *out)
{
	const struct plan_node *server = node_running(p, "knot");
	struct addr_text own = text_of(&p->nodes[node].addr);
	const struct topology *t = p->topology;

	if (!server) return -ENOENT;
	struct addr_text to = text_of(&server->addr);
	fprintf(out,
	        "server:\n    directory: \"%s\"\n    interface: %s\n    interface: %s\n    interface: "
	        "127.0.0.1\n%s",
	        dir, own.v4, own.v6, unbound_fixed);
	for (int zone = 0; zone < (int)t->n_zones; zone++)
		allow_prefix(zone, out);
	allow_prefix(PLAN_REGION, out);
	allow_prefix(PLAN_INTERNET, out);
	for (size_t s = 0; s < t->n_services; s++)
		fprintf(out, "    local-zone: \"%.*s.\" transparent\n", bare_length(zone_of(t, s)),
		        zone_of(t, s));
	fprintf(out, "remote-control:\n    control-enable: no\n");
	for (size_t s = 0; s < t->n_services; s++)
		fprintf(out, "stub-zone:\n    name: \"%.*s.\"\n    stub-addr: %s\n    stub-addr: %s\n",
		        bare_length(zone_of(t, s)), zone_of(t, s), to.v4, to.v6);
	return written(out);
}

/* --- files ------------------------------------------------------------------------------------------- */

static int open_new(uid_t uid, gid_t gid, FILE **ret, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int open_new(uid_t uid, gid_t gid, FILE **ret, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (n >= (int)sizeof(path)) return -ENAMETOOLONG;
	/* a server that is started again finds the one of its first start */
	if (unlink(path) < 0 && errno != ENOENT) return -errno;
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) return -errno;
	if (fchown(fd, uid, gid) < 0) return -errno;
	if (!(*ret = fdopen(fd, "w"))) return -errno;
	take_fd(&fd);
	return 0;
}

static int write_zones(const struct plan *p, const char *dir, uid_t uid, gid_t gid)
{
	for (size_t s = 0; s < p->topology->n_services; s++) {
		const char *name = zone_of(p->topology, s);
		cleanup_fclose FILE *out = NULL;
		char lower[256];
		int n = snprintf(lower, sizeof(lower), "%.*s", bare_length(name), name);

		if (n >= (int)sizeof(lower)) return -ENAMETOOLONG;
		for (char *c = lower; *c; c++)
			if (*c >= 'A' && *c <= 'Z') *c += 'a' - 'A'; /* Knot names zones so */
		int r = open_new(uid, gid, &out, "%s/%s.zone", dir, lower);
		if (r == 0)
			r = topology_automated(p->topology, s) ? dns_automation_write_zone(p, out)
			                                       : dns_knot_zone(p, s, out);
		if (r < 0) return r;
	}
	return 0;
}

static int own_folder(const char *dir, uid_t uid, gid_t gid)
{
	return chmod(dir, 0700) < 0 || chown(dir, uid, gid) < 0 ? -errno : 0;
}

int dns_server_prepare(const struct plan *p, size_t node, const char *dir, const struct dns_key *key,
                       uid_t uid, gid_t gid, struct dns_server_command *ret)
{
	const char *daemon = p->nodes[node].daemon;
	bool knot = daemon && !strcmp(daemon, "knot");
	cleanup_fclose FILE *out = NULL;
	int r;

	if (!knot && (!daemon || strcmp(daemon, "unbound"))) return -EINVAL;
	if (snprintf(ret->config, sizeof(ret->config), "%s/%s.conf", dir, daemon) >= (int)sizeof(ret->config))
		return -ENAMETOOLONG;
	if ((r = own_folder(dir, uid, gid)) < 0) return r;
	if ((r = open_new(uid, gid, &out, "%s", ret->config)) < 0) return r;
	if (knot && (r = write_zones(p, dir, uid, gid)) < 0) return r;
	const char *const knot_argv[] = { "knotd", "-c", ret->config, NULL };
	const char *const unbound_argv[] = { "unbound", "-d", "-p", "-c", ret->config, NULL };
	memcpy(ret->argv, knot ? knot_argv : unbound_argv, knot ? sizeof(knot_argv) : sizeof(unbound_argv));
	ret->clock = knot && knot_clock()->fd >= 0 ? knot_clock() : NULL;
	return knot ? dns_knot_config(p, node, dir, key, out) : dns_unbound_config(p, node, dir, out);
}
