/* dns_peer.h - the member "dns" that daemons which write to the DNS server have in their configurations, and
 * the "store" of those of the DNS automation: {"server", "key": {"name", "algorithm", "secret"}} and
 * {"address", "port"}. */
#ifndef AZLAB_DNS_PEER_H
#define AZLAB_DNS_PEER_H
#include "common/dns_update.h"
#include "common/take.h"
#include <netinet/in.h>

struct dns_peers {
	char server[INET6_ADDRSTRLEN];
	struct dns_key key;
	char store[INET6_ADDRSTRLEN];
	uint16_t store_port;
};
/* The member "dns". 0, or -EINVAL and why. */
int dns_server_read(const json_t *dns, char server[INET6_ADDRSTRLEN], struct dns_key *ret, char why[WHY_MAX]);
/* Both. 0, or -EINVAL and why. */
int dns_peers_read(const json_t *config, struct dns_peers *ret, char why[WHY_MAX]);
#endif
