#include "common/dns_update.h"
#include "common/cleanup.h"
#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { TSIG_FUDGE_S = 300, EDNS_SIZE = 4096, TSIG_ALGORITHM = 0, TSIG_MAC = 3, TSIG_ERROR = 5 };

struct dns_update {
	ldns_rdf *zone;
	ldns_rr_list *prerequisites, *updates;
	int error; /* sticky */
};

int dns_key_make(struct dns_key *ret)
{
	uint8_t secret[32];
	struct dns_key key = { .name = "azlab", .algorithm = "hmac-sha256" };

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) return -errno;
	ldns_rdf *data = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_B64, sizeof(secret), secret);
	cleanup_free char *text = data ? ldns_rdf2str(data) : NULL;
	ldns_rdf_deep_free(data);
	if (!text) return -ENOMEM;
	snprintf(key.secret, sizeof(key.secret), "%s", text);
	*ret = key;
	return 0;
}

/* --- transactions ------------------------------------------------------------------------------------ */

struct dns_update *dns_update_new(const char *zone)
{
	struct dns_update *u = calloc(1, sizeof(*u));

	if (!u) return NULL;
	u->zone = ldns_dname_new_frm_str(zone);
	u->prerequisites = ldns_rr_list_new();
	u->updates = ldns_rr_list_new();
	if (u->zone && u->prerequisites && u->updates) return u;
	dns_update_free(u);
	return NULL;
}

void dns_update_free(struct dns_update *u)
{
	if (!u) return;
	ldns_rdf_deep_free(u->zone);
	ldns_rr_list_deep_free(u->prerequisites);
	ldns_rr_list_deep_free(u->updates);
	free(u);
}

static void push(struct dns_update *u, ldns_rr_list *list, ldns_rr *rr)
{
	if (rr && ldns_rr_list_push_rr(list, rr)) return;
	ldns_rr_free(rr);
	u->error = -EINVAL;
}

/* A record without value, which stands for a whole RRset or name (RFC 2136, 2.4 and 2.5). */
static ldns_rr *empty_rr(const char *owner, ldns_rr_class class, const char *type)
{
	ldns_rdf *name = ldns_dname_new_frm_str(owner);
	ldns_rr_type code = ldns_get_rr_type_by_name(type);
	ldns_rr *rr = name && code ? ldns_rr_new() : NULL;

	if (!rr) {
		ldns_rdf_deep_free(name);
		return NULL;
	}
	ldns_rr_set_owner(rr, name);
	ldns_rr_set_type(rr, code);
	ldns_rr_set_class(rr, class);
	ldns_rr_set_ttl(rr, 0);
	return rr;
}

static ldns_rr *full_rr(const char *owner, ldns_rr_class class, const char *type, uint32_t ttl,
                        const char *rdata)
{
	char line[LDNS_MAX_DOMAINLEN + DNS_RDATA_MAX + 64];
	ldns_rr *rr = NULL;

	if (snprintf(line, sizeof(line), "%s %u IN %s %s", owner, ttl, type, rdata) >= (int)sizeof(line))
		return NULL;
	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK) return NULL;
	ldns_rr_set_class(rr, class);
	return rr;
}

void dns_require_rrset(struct dns_update *u, const char *owner, const char *type, const char *const *rdata,
                       size_t n)
{
	if (n == 0) push(u, u->prerequisites, empty_rr(owner, LDNS_RR_CLASS_NONE, type));
	for (size_t i = 0; i < n; i++)
		push(u, u->prerequisites, full_rr(owner, LDNS_RR_CLASS_IN, type, 0, rdata[i]));
}

void dns_require_some(struct dns_update *u, const char *owner, const char *type)
{
	push(u, u->prerequisites, empty_rr(owner, LDNS_RR_CLASS_ANY, type));
}

void dns_require_name(struct dns_update *u, const char *owner, bool in_use)
{
	push(u, u->prerequisites, empty_rr(owner, in_use ? LDNS_RR_CLASS_ANY : LDNS_RR_CLASS_NONE, "ANY"));
}

void dns_delete_rrset(struct dns_update *u, const char *owner, const char *type)
{
	push(u, u->updates, empty_rr(owner, LDNS_RR_CLASS_ANY, type));
}

void dns_delete_record(struct dns_update *u, const char *owner, const char *type, const char *rdata)
{
	push(u, u->updates, full_rr(owner, LDNS_RR_CLASS_NONE, type, 0, rdata));
}

void dns_delete_name(struct dns_update *u, const char *owner)
{
	push(u, u->updates, empty_rr(owner, LDNS_RR_CLASS_ANY, "ANY"));
}

void dns_add_record(struct dns_update *u, const char *owner, const char *type, uint32_t ttl,
                    const char *rdata)
{
	push(u, u->updates, full_rr(owner, LDNS_RR_CLASS_IN, type, ttl, rdata));
}

/* --- requests ---------------------------------------------------------------------------------------- */

/* ldns knows the algorithms as domain names, with their final dot. */
static int sign(ldns_pkt *packet, const struct dns_key *key, struct dns_request *r)
{
	char algorithm[sizeof(key->algorithm) + 1];

	if (!key) return 0;
	snprintf(algorithm, sizeof(algorithm), "%s.", key->algorithm);
	if (ldns_pkt_tsig_sign(packet, key->name, key->secret, TSIG_FUDGE_S, algorithm, NULL) !=
	    LDNS_STATUS_OK)
		return -EINVAL;
	r->mac = ldns_rdf_clone(ldns_rr_rdf(ldns_pkt_tsig(packet), TSIG_MAC));
	return r->mac ? 0 : -ENOMEM;
}

/* Takes the packet over. */
static int encode(ldns_pkt *packet, uint16_t id, bool update, const struct dns_key *key,
                  struct dns_request *ret)
{
	struct dns_request r = { .id = id, .update = update };
	int result = packet ? 0 : -ENOMEM;

	if (result == 0) {
		ldns_pkt_set_id(packet, id);
		result = sign(packet, key, &r);
	}
	if (result == 0 && ldns_pkt2wire(&r.wire, packet, &r.len) != LDNS_STATUS_OK) result = -EINVAL;
	if (result == 0 && r.len > DNS_MESSAGE_MAX) result = -EMSGSIZE;
	ldns_pkt_free(packet);
	if (result < 0)
		dns_request_release(&r);
	else
		*ret = r;
	return result;
}

int dns_update_encode(const struct dns_update *u, uint16_t id, const struct dns_key *key,
                      struct dns_request *ret)
{
	if (u->error) return u->error;
	ldns_rdf *zone = ldns_rdf_clone(u->zone); /* the packet owns it */
	ldns_pkt *packet = ldns_update_pkt_new(zone, LDNS_RR_CLASS_IN, u->prerequisites, u->updates, NULL);
	if (!packet) ldns_rdf_deep_free(zone);
	return encode(packet, id, true, key, ret);
}

int dns_query_encode(const char *name, const char *type, uint16_t id, const struct dns_key *key,
                     struct dns_request *ret)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr_type code = ldns_get_rr_type_by_name(type);

	if (!owner || !code) {
		ldns_rdf_deep_free(owner);
		return -EINVAL;
	}
	/* recursion desired: nothing to the server of the zone, and resolvers refuse to be asked without */
	ldns_pkt *packet = ldns_pkt_query_new(owner, code, LDNS_RR_CLASS_IN, LDNS_RD);
	if (packet)
		ldns_pkt_set_edns_udp_size(packet, EDNS_SIZE);
	else
		ldns_rdf_deep_free(owner);
	return encode(packet, id, false, key, ret);
}

void dns_request_release(struct dns_request *r)
{
	free(r->wire);
	ldns_rdf_deep_free(r->mac);
	*r = (struct dns_request){ 0 };
}

/* --- answers ----------------------------------------------------------------------------------------- */

static const char *const status_texts[] = {
	[DNS_OK] = "done",
	[DNS_PREREQUISITE] = "the records are not as expected",
	[DNS_NO_NAME] = "no such name",
	[DNS_REFUSED] = "refused",
	[DNS_SERVER_FAILURE] = "server failure",
	[DNS_BAD_KEY] = "key or signature not accepted",
	[DNS_BAD_TIME] = "clocks differ too much for a signature",
	[DNS_TRUNCATED] = "answer truncated",
	[DNS_TIMED_OUT] = "no answer in time",
	[DNS_OTHER] = "unexpected answer",
};
_Static_assert(ARRAY_SIZE(status_texts) == DNS_STATUS_MAX, "a text for each status");

const char *dns_status_text(enum dns_status s)
{
	return status_texts[s];
}

static unsigned tsig_error(const ldns_rr *tsig)
{
	ldns_rdf *error = tsig && ldns_rr_rd_count(tsig) > TSIG_ERROR ? ldns_rr_rdf(tsig, TSIG_ERROR) : NULL;
	return error && ldns_rdf_size(error) == 2 ? ldns_rdf2native_int16(error) : 0;
}

static bool same_name(const ldns_rdf *name, const char *text)
{
	ldns_rdf *other = ldns_dname_new_frm_str(text);
	bool same = name && other && ldns_dname_compare(name, other) == 0;

	ldns_rdf_deep_free(other);
	return same;
}

/* Signed with our key, our algorithm (the packet names its own), over our request's signature too. */
static bool signed_by(ldns_pkt *packet, const struct dns_key *key, const struct dns_request *request,
                      const void *wire, size_t len)
{
	ldns_rr *tsig = ldns_pkt_tsig(packet);

	if (!tsig || ldns_rr_rd_count(tsig) <= TSIG_ERROR || !same_name(ldns_rr_owner(tsig), key->name) ||
	    !same_name(ldns_rr_rdf(tsig, TSIG_ALGORITHM), key->algorithm))
		return false;
	bool good = ldns_pkt_tsig_verify(packet, wire, len, key->name, key->secret, request->mac);
	ldns_pkt_set_tsig(packet, tsig); /* ldns loses it when it fails */
	return good;
}

static enum dns_status status_of(const ldns_pkt *packet, bool update)
{
	unsigned error = tsig_error(ldns_pkt_tsig(packet));

	if (error) return error == 18 ? DNS_BAD_TIME : DNS_BAD_KEY; /* RFC 8945, 3: BADTIME */
	switch (ldns_pkt_get_rcode(packet)) {
	case LDNS_RCODE_NOERROR:
		return ldns_pkt_tc(packet) ? DNS_TRUNCATED : DNS_OK;
	case LDNS_RCODE_NXDOMAIN:
		return update ? DNS_PREREQUISITE : DNS_NO_NAME;
	case LDNS_RCODE_YXDOMAIN:
	case LDNS_RCODE_YXRRSET:
	case LDNS_RCODE_NXRRSET:
		return DNS_PREREQUISITE;
	case LDNS_RCODE_SERVFAIL:
		return DNS_SERVER_FAILURE;
	case LDNS_RCODE_REFUSED:
		return DNS_REFUSED;
	case LDNS_RCODE_NOTAUTH:
		return DNS_BAD_KEY;
	default:
		return DNS_OTHER;
	}
}

static char *rdata_text(const ldns_rr *rr)
{
	ldns_buffer *text = ldns_buffer_new(LDNS_MIN_BUFLEN);

	for (size_t i = 0; text && i < ldns_rr_rd_count(rr); i++) {
		if (i) ldns_buffer_printf(text, " ");
		ldns_rdf2buffer_str(text, ldns_rr_rdf(rr, i));
	}
	char *result = text ? ldns_buffer_export2str(text) : NULL;
	ldns_buffer_free(text);
	return result;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The values of the question's own RRset. */
static int take_values(const ldns_pkt *packet, struct dns_answer *a)
{
	const ldns_rr_list *answers = ldns_pkt_answer(packet);
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(packet), 0);
	size_t n = ldns_rr_list_rr_count(answers);

	if (n == 0 || !question) return 0;
	a->rdata = calloc(n, sizeof(*a->rdata));
	if (!a->rdata) return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(answers, i);
		if (ldns_rr_get_type(rr) != ldns_rr_get_type(question) ||
		    ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)) != 0)
			continue;
		a->rdata[a->n] = rdata_text(rr);
		if (!a->rdata[a->n]) return -ENOMEM;
		a->n++;
	}
	qsort(a->rdata, a->n, sizeof(*a->rdata), by_text);
	return 0;
}

static int read_packet(ldns_pkt *packet, const struct dns_request *request, const struct dns_key *key,
                       const void *wire, size_t len, struct dns_answer *a)
{
	ldns_pkt_opcode opcode = request->update ? LDNS_PACKET_UPDATE : LDNS_PACKET_QUERY;

	if (ldns_pkt_id(packet) != request->id || !ldns_pkt_qr(packet) ||
	    ldns_pkt_get_opcode(packet) != opcode)
		return -EBADMSG;
	a->rcode = ldns_pkt_get_rcode(packet);
	a->status = status_of(packet, request->update);
	if (key && !signed_by(packet, key, request, wire, len)) {
		/* an outsider may make us wait and try again, but not believe in a change or a failed
		 * prerequisite */
		bool hint = a->status >= DNS_REFUSED && a->status != DNS_TRUNCATED;
		return hint ? 0 : -EBADMSG;
	}
	return request->update || a->status != DNS_OK ? 0 : take_values(packet, a);
}

int dns_answer_decode(const struct dns_request *request, const struct dns_key *key, const void *wire,
                      size_t len, struct dns_answer *ret)
{
	struct dns_answer a = { 0 };
	ldns_pkt *packet = NULL;

	if (ldns_wire2pkt(&packet, wire, len) != LDNS_STATUS_OK) return -EBADMSG;
	int result = read_packet(packet, request, key, wire, len, &a);
	ldns_pkt_free(packet);
	if (result < 0)
		dns_answer_release(&a);
	else
		*ret = a;
	return result;
}

void dns_answer_release(struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->rdata[i]);
	free(a->rdata);
	a->rdata = NULL;
	a->n = 0;
}
