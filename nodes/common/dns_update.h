/* dns_update.h - DNS messages for updating an authoritative server: UPDATE (RFC 2136), plain queries to read
 * back, TSIG (RFC 8945), on ldns. Pure but for the wall clock that TSIG signs; dns_client.h sends them.
 *
 * Names and types are text ("shop.lab", "AAAA"), rdata is text as in a zone file; names count as absolute.
 * Errors are -errno; building a transaction has a sticky error, told by the encoder. */
#ifndef AZLAB_DNS_UPDATE_H
#define AZLAB_DNS_UPDATE_H
#include "common/mono.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_MESSAGE_MAX = 65000, DNS_RDATA_MAX = 1024 };

struct dns_key {
	char name[64];
	char algorithm[32]; /* "hmac-sha256" */
	char secret[128];   /* base64 */
};
/* A fresh random key, HMAC-SHA256, 256 bits. 0 or -errno. */
int dns_key_make(struct dns_key *ret);

/* --- a transaction: prerequisites and updates, all or nothing ---------------------------------------- */
struct dns_update;

/* A transaction on one zone; NULL if memory is out or the name is none. The caller frees it. */
struct dns_update *dns_update_new(const char *zone);
void dns_update_free(struct dns_update *u);
/* Prerequisite: the RRset is exactly these n values (TTLs don't count); n = 0: there is no such RRset. */
void dns_require_rrset(struct dns_update *u, const char *owner, const char *type, const char *const *rdata,
                       size_t n);
/* Prerequisite: the RRset exists, whatever it holds. */
void dns_require_some(struct dns_update *u, const char *owner, const char *type);
/* Prerequisite: the name owns a record, or none. */
void dns_require_name(struct dns_update *u, const char *owner, bool in_use);
void dns_delete_rrset(struct dns_update *u, const char *owner, const char *type);
void dns_delete_record(struct dns_update *u, const char *owner, const char *type, const char *rdata);
void dns_delete_name(struct dns_update *u, const char *owner);
void dns_add_record(struct dns_update *u, const char *owner, const char *type, uint32_t ttl,
                    const char *rdata);

/* --- on the wire ------------------------------------------------------------------------------------- */
struct dns_request {
	uint16_t id;
	bool update;
	uint8_t *wire;
	size_t len;
	void *mac; /* what the answer's signature covers too; NULL without a key */
};

/* Encodes, signed if key isn't NULL. 0; -EINVAL for a bad name, type, value or key; -EMSGSIZE; -ENOMEM. */
int dns_update_encode(const struct dns_update *u, uint16_t id, const struct dns_key *key,
                      struct dns_request *ret);
int dns_query_encode(const char *name, const char *type, uint16_t id, const struct dns_key *key,
                     struct dns_request *ret);
void dns_request_release(struct dns_request *r);

enum dns_status {
	DNS_OK,
	DNS_PREREQUISITE, /* the transaction's prerequisites don't hold: nothing was changed */
	DNS_NO_NAME,      /* a query's name doesn't exist */
	DNS_REFUSED,
	DNS_SERVER_FAILURE,
	DNS_BAD_KEY,  /* BADKEY, BADSIG or not allowed for this key */
	DNS_BAD_TIME, /* the clocks differ by more than TSIG's 300 s */
	DNS_TRUNCATED,
	DNS_TIMED_OUT, /* no answer: it may have been carried out or not */
	DNS_OTHER,
	DNS_STATUS_MAX
};
const char *dns_status_text(enum dns_status s);

struct dns_answer {
	enum dns_status status;
	unsigned rcode;
	size_t n; /* values of the queried name and type, sorted */
	char **rdata;
	unsigned attempts; /* datagrams sent */
	mono_ns took;      /* from the first of them */
};

/* Reads a datagram as the answer to the request. 0, *ret being the caller's to release; -EBADMSG if it is
 * not: malformed, another id, or a success that isn't signed by the key. Errors may come unsigned, as a
 * server that doesn't know the key can't sign. */
int dns_answer_decode(const struct dns_request *request, const struct dns_key *key, const void *wire,
                      size_t len, struct dns_answer *ret);
void dns_answer_release(struct dns_answer *a);
#endif
