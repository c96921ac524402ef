#include "common/dns_peer.h"
#include "common/node.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int take_string(const json_t *object, const char *key, char *to, size_t size, char *why)
{
	const char *text = node_string(object, key, "");

	if (*text && strlen(text) < size) {
		strcpy(to, text);
		return 0;
	}
	snprintf(why, DNS_PEER_WHY_MAX, "'%s' is missing or too long", key);
	return -EINVAL;
}

static int take_address(const json_t *object, const char *key, char to[INET6_ADDRSTRLEN], char *why)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	int r = take_string(object, key, to, INET6_ADDRSTRLEN, why);

	if (r < 0 || inet_pton(AF_INET, to, bytes) == 1 || inet_pton(AF_INET6, to, bytes) == 1) return r;
	snprintf(why, DNS_PEER_WHY_MAX, "'%s' is no address: '%s'", key, to);
	return -EINVAL;
}

int dns_server_read(const json_t *dns, char server[INET6_ADDRSTRLEN], struct dns_key *ret,
                    char why[DNS_PEER_WHY_MAX])
{
	const json_t *key = json_object_get(dns, "key");
	int r = take_address(dns, "server", server, why);

	if (r == 0) r = take_string(key, "name", ret->name, sizeof(ret->name), why);
	if (r == 0) r = take_string(key, "algorithm", ret->algorithm, sizeof(ret->algorithm), why);
	return r == 0 ? take_string(key, "secret", ret->secret, sizeof(ret->secret), why) : r;
}

int dns_peers_read(const json_t *config, struct dns_peers *ret, char why[DNS_PEER_WHY_MAX])
{
	const json_t *store = json_object_get(config, "store");
	double port = node_number(store, "port", 0);
	struct dns_peers p = { 0 };
	int r = dns_server_read(json_object_get(config, "dns"), p.server, &p.key, why);

	if (r == 0) r = take_address(store, "address", p.store, why);
	if (r < 0) return r;
	if (!(port >= 1 && port <= UINT16_MAX)) {
		snprintf(why, DNS_PEER_WHY_MAX, "'store.port' is missing or no port");
		return -EINVAL;
	}
	p.store_port = (uint16_t)port;
	*ret = p;
	return 0;
}
