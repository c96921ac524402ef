/* plans.h - plans for tests, and their text. */
#ifndef AZLAB_TEST_PLANS_H
#define AZLAB_TEST_PLANS_H
#include "proto/dns_plan.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Of the shape of the documentation's example, with n load balancers of weight 8; the caller releases it. */
static inline struct dns_plan plan_with(size_t n)
{
	static const struct dns_endpoint endpoints[] = {
		{ "dynamodb", DNS_ANY },
		{ "dynamodb-ipv4", DNS_IPV4 },
		{ "dynamodb-fips", DNS_FIPS },
		{ "000000000001.ddb", DNS_ACCOUNT },
		{ "000000000002.ddb", DNS_ACCOUNT },
	};
	struct dns_plan p = { .number = 17,
		              .tree = "k3v9x0qa",
		              .made_ms = 1790000000000,
		              .kind = DNS_PLAN_CAPACITY,
		              .service = "dynamodb",
		              .zone = "us-east-1.lab",
		              .ttl_s = 2,
		              .event = 5,
		              .n_endpoints = 5,
		              .n_balancers = n };

	p.endpoints = malloc(sizeof(endpoints));
	memcpy(p.endpoints, endpoints, sizeof(endpoints));
	p.balancers = calloc(n ? n : 1, sizeof(*p.balancers));
	for (size_t i = 0; i < n; i++) {
		struct dns_balancer *b = &p.balancers[i];
		snprintf(b->name, sizeof(b->name), "az%zu", i + 1);
		b->weight = 8;
		b->addr4.s_addr = htonl(0x0a000001 + (uint32_t)i);
		inet_pton(AF_INET6, "fd00:a21a:b::", &b->addr6);
		memcpy(&b->addr6.s6_addr[12], &b->addr4, sizeof(b->addr4));
	}
	return p;
}

/* The caller frees it. */
static inline char *text_of(const struct dns_plan *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out || dns_plan_write(p, out) < 0) abort();
	fclose(out);
	return text;
}
#endif
