/* The stub's messages, apart from its socket. */
#include "common/stub.h"
#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

enum { EDNS_BYTES = 1232 /* what fits everywhere: DNS flag day 2020 */, CNAMES_MAX = 16 };

static void free_packet(ldns_pkt **p)
{
	ldns_pkt_free(*p);
}
static void free_name(ldns_rdf **name)
{
	ldns_rdf_deep_free(*name);
}
#define cleanup_packet __attribute__((cleanup(free_packet)))
#define cleanup_name __attribute__((cleanup(free_name)))

static ldns_rr_type type_of(int family)
{
	return family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
}

int stub_question(uint8_t *buf, size_t size, uint16_t id, const char *name, int family)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	cleanup_packet ldns_pkt *query = NULL;
	uint8_t *wire = NULL;
	size_t len = 0;

	if (!owner) return -EINVAL;
	query = ldns_pkt_query_new(owner, type_of(family), LDNS_RR_CLASS_IN, LDNS_RD);
	if (!query) {
		ldns_rdf_deep_free(owner); /* else it belongs to the query */
		return -ENOMEM;
	}
	ldns_pkt_set_id(query, id);
	ldns_pkt_set_edns_udp_size(query, EDNS_BYTES);
	if (ldns_pkt2wire(&wire, query, &len) != LDNS_STATUS_OK) return -ENOMEM;
	if (len <= size) memcpy(buf, wire, len);
	free(wire);
	return len <= size ? (int)len : -EMSGSIZE;
}

/* --- answers ----------------------------------------------------------------------------------------- */

static bool answers_question(const ldns_pkt *p, uint16_t id, const ldns_rdf *name, ldns_rr_type type)
{
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);

	return ldns_pkt_qr(p) && ldns_pkt_id(p) == id && ldns_pkt_qdcount(p) == 1 && question &&
	       ldns_rr_get_type(question) == type && ldns_dname_compare(ldns_rr_owner(question), name) == 0;
}

static bool is_for(const ldns_rr *rr, const ldns_rdf *owner, ldns_rr_type type)
{
	return ldns_rr_get_type(rr) == type && ldns_dname_compare(ldns_rr_owner(rr), owner) == 0;
}

static void note_ttl(struct stub_answer *a, const ldns_rr *rr)
{
	if (ldns_rr_ttl(rr) < a->ttl_s) a->ttl_s = ldns_rr_ttl(rr);
}

/* Follows CNAMEs from the name asked for; returns the name that holds the addresses. */
static const ldns_rdf *follow(const ldns_rr_list *records, const ldns_rdf *name, struct stub_answer *ret)
{
	for (unsigned hops = 0; hops < CNAMES_MAX; hops++) {
		const ldns_rr *alias = NULL;
		for (size_t i = 0; i < ldns_rr_list_rr_count(records) && !alias; i++) {
			const ldns_rr *rr = ldns_rr_list_rr(records, i);
			if (is_for(rr, name, LDNS_RR_TYPE_CNAME)) alias = rr;
		}
		if (!alias || !ldns_rr_rdf(alias, 0)) break;
		note_ttl(ret, alias);
		name = ldns_rr_rdf(alias, 0);
	}
	return name;
}

static void add_address(struct stub_answer *a, const ldns_rr *rr, int family)
{
	const ldns_rdf *data = ldns_rr_rdf(rr, 0);
	union probe_address *to = &a->addresses[a->n];
	size_t size = family == AF_INET ? sizeof(to->v4.sin_addr) : sizeof(to->v6.sin6_addr);

	if (!data || ldns_rdf_size(data) != size || a->n == STUB_ADDRESSES_MAX) return;
	*to = (union probe_address){ .any.sa_family = (sa_family_t)family };
	memcpy(family == AF_INET ? (void *)&to->v4.sin_addr : &to->v6.sin6_addr, ldns_rdf_data(data), size);
	note_ttl(a, rr);
	a->n++;
}

static void collect(const ldns_pkt *p, const ldns_rdf *name, int family, struct stub_answer *ret)
{
	const ldns_rr_list *records = ldns_pkt_answer(p);
	const ldns_rdf *owner = follow(records, name, ret);

	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(records, i);
		if (is_for(rr, owner, type_of(family))) add_address(ret, rr, family);
	}
}

int stub_parse(const uint8_t *datagram, size_t len, uint16_t id, const char *name, int family,
               struct stub_answer *ret)
{
	cleanup_packet ldns_pkt *p = NULL;
	cleanup_name ldns_rdf *owner = ldns_dname_new_frm_str(name);

	if (!owner) return -EINVAL;
	if (ldns_wire2pkt(&p, datagram, len) != LDNS_STATUS_OK) return -EBADMSG;
	if (!answers_question(p, id, owner, type_of(family))) return -EBADMSG;
	ret->n = 0;
	ret->ttl_s = UINT32_MAX;
	switch (ldns_pkt_get_rcode(p)) {
	case LDNS_RCODE_NOERROR:
		collect(p, owner, family, ret);
		ret->outcome = ret->n > 0 ? STUB_OK : STUB_NO_DATA;
		break;
	case LDNS_RCODE_NXDOMAIN:
		ret->outcome = STUB_NO_NAME;
		break;
	default:
		ret->outcome = STUB_FAILED;
	}
	if (ret->n == 0) ret->ttl_s = 0;
	return 0;
}
