// with: nodes/common/dns_update.c
/* Whatever arrives from port 53: decoding must neither crash nor believe what the key hasn't signed. The
 * first byte of the input chooses an update or a query, with the key or without. */
#include "common/dns_update.h"
#include <stdlib.h>
#include <string.h>

static struct dns_request request_of(bool update, const struct dns_key *key, uint16_t id)
{
	struct dns_request r;
	int failed;

	if (update) {
		struct dns_update *u = dns_update_new("shop.lab");
		dns_add_record(u, "shop.lab", "A", 1, "10.1.1.1");
		failed = dns_update_encode(u, id, key, &r);
		dns_update_free(u);
	} else {
		failed = dns_query_encode("shop.lab", "A", id, key, &r);
	}
	if (failed) abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_key key = { "azlab", "hmac-sha256",
		                            "VaIcwvLR5FP1qRYtwguRhUB7LRSA7I+Jwp/sHJthXXU=" };
	struct dns_answer answer;

	if (size < 3) return 0;
	bool update = data[0] & 1, with_key = data[0] & 2;
	/* the id that the answer bears, so that the rest of it is read at all */
	struct dns_request r = request_of(update, with_key ? &key : NULL, (uint16_t)(data[1] << 8 | data[2]));
	if (dns_answer_decode(&r, with_key ? &key : NULL, data + 1, size - 1, &answer) == 0) {
		if (with_key && answer.status < DNS_REFUSED) abort(); /* a signature was guessed */
		dns_answer_release(&answer);
	}
	dns_request_release(&r);
	return 0;
}
