#include "common/dns_peer.h"

int dns_server_read(const json_t *dns, char server[INET6_ADDRSTRLEN], struct dns_key *ret, char why[WHY_MAX])
{
	const json_t *key = json_object_get(dns, "key");
	int r = take_address(dns, "server", AF_UNSPEC, server, INET6_ADDRSTRLEN, why);

	if (r == 0) r = take_string(key, "name", ret->name, sizeof(ret->name), why);
	if (r == 0) r = take_string(key, "algorithm", ret->algorithm, sizeof(ret->algorithm), why);
	return r == 0 ? take_string(key, "secret", ret->secret, sizeof(ret->secret), why) : r;
}

int dns_peers_read(const json_t *config, struct dns_peers *ret, char why[WHY_MAX])
{
	const json_t *store = json_object_get(config, "store");
	double port;
	struct dns_peers p = { 0 };
	int r = dns_server_read(json_object_get(config, "dns"), p.server, &p.key, why);

	if (r == 0) r = take_address(store, "address", AF_UNSPEC, p.store, sizeof(p.store), why);
	if (r == 0) r = take_number(store, "port", 0, 1, UINT16_MAX, &port, why);
	if (r < 0) return r;
	p.store_port = (uint16_t)port;
	*ret = p;
	return 0;
}
