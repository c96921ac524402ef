/* Packets that the delay line sends again: which offloads they carry, what `corrupt` does to them, and what
 * `reject` answers. */
#include "delay-line/answer.h"
#include "delay-line/checksum.h"
#include "delay-line/frame.h"
#include "common/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SEQ = 1000, ACK_NUMBER = 5000, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

union packet {
	struct fault_packet p;
	uint8_t bytes[sizeof(struct fault_packet) + 2000];
};

static void put_v4(struct wire *w, uint8_t proto, size_t payload)
{
	uint8_t *ip = w->at;

	wire_put(w, 0x4540, 2); /* CS2 */
	wire_put(w, 20 + payload, 2);
	wire_put(w, 0, 4);
	wire_put(w, 64, 1);
	wire_put(w, proto, 1);
	wire_put(w, 0, 2);
	wire_put(w, 0x0a01000a, 4);
	wire_put(w, 0x0a01000b, 4);
	uint16_t sum = htons((uint16_t)~checksum_fold(checksum_add(0, ip, 20)));
	memcpy(ip + 10, &sum, 2);
}

static void put_v6(struct wire *w, uint8_t proto, size_t payload)
{
	wire_put(w, 0x64000000, 4);
	wire_put(w, payload, 2);
	wire_put(w, proto, 1);
	wire_put(w, 64, 1);
	for (int end = 1; end <= 2; end++) {
		wire_put(w, 0xfd00a21a000b0001, 8);
		wire_put(w, (uint64_t)end, 8);
	}
}

/* A TCP or UDP packet with some data; its checksum waits: the field holds the pseudo-header's sum. */
static union packet make(bool v6, uint8_t proto, uint8_t flags, size_t data)
{
	size_t l4_len = (proto == IPPROTO_TCP ? 20 : 8) + data;
	union packet x = { .p = { .v6 = v6, .proto = proto, .l4_off = v6 ? 54 : 34 } };
	struct wire w = wire_over(x.p.data, 2000);

	wire_put(&w, 0x020000000001, 6);
	wire_put(&w, 0x020000000002, 6);
	wire_put(&w, v6 ? ETH_P_IPV6 : ETH_P_IP, 2);
	if (v6) {
		put_v6(&w, proto, l4_len);
	} else {
		put_v4(&w, proto, l4_len);
	}
	uint64_t pseudo = checksum_fold(checksum_pseudo(x.p.data + ETH_HLEN, v6, proto, l4_len));
	wire_put(&w, 4000, 2);
	wire_put(&w, 80, 2);
	if (proto == IPPROTO_TCP) {
		wire_put(&w, SEQ, 4);
		wire_put(&w, ACK_NUMBER, 4);
		wire_put(&w, 0x5000 | flags, 2);
		wire_put(&w, 0xffff, 2);
		wire_put(&w, pseudo, 2);
		wire_put(&w, 0, 2);
	} else {
		wire_put(&w, l4_len, 2);
		wire_put(&w, pseudo, 2);
	}
	for (size_t i = 0; i < data; i++)
		wire_put(&w, i * 7, 1);
	assert_true(wire_ok(&w));
	x.p.len = (uint32_t)(w.at - x.p.data);
	return x;
}

/* Whether a frame's checksums hold, as its receiver sees it. */
static bool is_valid(const uint8_t *frame, size_t len, bool v6)
{
	const uint8_t *ip = frame + ETH_HLEN;
	size_t header = v6 ? 40 : 20, l4_len = len - ETH_HLEN - header;
	uint8_t proto = v6 ? ip[6] : ip[9];
	uint64_t sum = proto == IPPROTO_ICMP ? 0 : checksum_pseudo(ip, v6, proto, l4_len);

	if (!v6 && checksum_fold(checksum_add(0, ip, 20)) != 0xffff) return false;
	return checksum_fold(checksum_add(sum, ip + header, l4_len)) == 0xffff;
}

static void a_waiting_checksum_is_passed_on(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (int udp = 0; udp < 2; udp++) {
			union packet x = make(v6, udp ? IPPROTO_UDP : IPPROTO_TCP, TCP_ACK, 101);
			struct virtio_net_hdr h = frame_offloads(&x.p);
			assert_int_equal(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(h.csum_start, v6 ? 54 : 34);
			assert_int_equal(h.csum_offset, udp ? 6 : 16);
			assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		}
	}
}

static void a_finished_or_wrong_checksum_is_left_alone(void **state)
{
	union packet x = make(false, IPPROTO_TCP, TCP_ACK, 10);
	(void)state;

	x.p.data[34 + 16] ^= 0x55;
	assert_int_equal(frame_offloads(&x.p).flags, 0);
}

static void tso_packets_stay_whole(void **state)
{
	union packet x = make(true, IPPROTO_TCP, TCP_ACK, 1500);
	(void)state;

	x.p.gso_size = 700;
	struct virtio_net_hdr h = frame_offloads(&x.p);
	assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(h.gso_size, 700);
	assert_int_equal(h.hdr_len, 74);
	x = make(false, IPPROTO_TCP, TCP_ACK | 0x80, 1500); /* CWR: only the first segment may have it */
	x.p.gso_size = 700;
	assert_int_equal(frame_offloads(&x.p).gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
}

static void cut_off_packets_have_no_checksum(void **state)
{
	union packet x = make(false, IPPROTO_TCP, TCP_ACK, 0);
	(void)state;

	x.p.len = 34 + 17;
	assert_int_equal(frame_checksum_at(&x.p), 0);
	assert_int_equal(frame_offloads(&x.p).flags, 0);
	x.p.proto = IPPROTO_ICMP;
	assert_int_equal(frame_checksum_at(&x.p), 0);
}

static void the_receiver_notices_every_corrupt_bit(void **state)
{
	(void)state;
	for (uint64_t bit = 0; bit < 8 * 31; bit++) {
		union packet x = make(bit & 1, IPPROTO_TCP, TCP_ACK, 11);
		x.p.choice = bit;
		frame_corrupt(&x.p);
		assert_false(is_valid(x.p.data, x.p.len, x.p.v6));
		size_t byte = x.p.l4_off + (bit >> 3);
		x.p.data[byte] ^= 1 << (bit & 7); /* and it is the only fault */
		assert_true(is_valid(x.p.data, x.p.len, x.p.v6));
	}
}

static void a_reset_answers_a_syn(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		union packet x = make(v6, IPPROTO_TCP, TCP_SYN, 0);
		uint8_t buf[ANSWER_MAX];
		int len = answer_make(&x.p, buf);
		assert_int_equal(len, v6 ? 74 : 54);
		assert_true(is_valid(buf, (size_t)len, v6));
		/* from the destination to the source, with their ports exchanged */
		assert_memory_equal(buf + (v6 ? 22 : 26), x.p.data + (v6 ? 38 : 30), v6 ? 16 : 4);
		assert_memory_equal(buf + (v6 ? 38 : 30), x.p.data + (v6 ? 22 : 26), v6 ? 16 : 4);
		struct wire w = wire_over(buf + x.p.l4_off, 20);
		assert_int_equal(wire_get(&w, 2), 80);
		assert_int_equal(wire_get(&w, 2), 4000);
		assert_int_equal(wire_get(&w, 4), 0);
		assert_int_equal(wire_get(&w, 4), SEQ + 1);
		assert_int_equal(wire_get(&w, 2), 0x5000 | TCP_RST | TCP_ACK);
	}
}

static void a_reset_within_a_connection_takes_its_number(void **state)
{
	union packet x = make(false, IPPROTO_TCP, TCP_ACK, 5);
	uint8_t buf[ANSWER_MAX];
	(void)state;

	assert_int_equal(answer_make(&x.p, buf), 54);
	struct wire w = wire_over(buf + 38, 10);
	assert_int_equal(wire_get(&w, 4), ACK_NUMBER);
	assert_int_equal(wire_get(&w, 4), 0);
	assert_int_equal(wire_get(&w, 2), 0x5000 | TCP_RST);
}

static void others_are_unreachable(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		union packet x = make(v6, IPPROTO_UDP, 0, 1400);
		uint8_t buf[ANSWER_MAX];
		int len = answer_make(&x.p, buf);
		assert_int_equal(len, v6 ? 14 + 1280 : 14 + 576);
		assert_true(is_valid(buf, (size_t)len, v6));
		assert_int_equal(buf[x.p.l4_off], v6 ? 1 : 3);
		assert_int_equal(buf[x.p.l4_off + 1], v6 ? 4 : 3);
		assert_memory_equal(buf + x.p.l4_off + 8, x.p.data + ETH_HLEN, 500);
	}
}

static void cut_off_packets_get_no_answer(void **state)
{
	union packet x = make(false, IPPROTO_TCP, TCP_SYN, 0);
	uint8_t buf[ANSWER_MAX];
	(void)state;

	x.p.len -= 1;
	assert_int_equal(answer_make(&x.p, buf), -EBADMSG);
	x.p.l4_off = 10;
	assert_int_equal(answer_make(&x.p, buf), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_checksum_is_passed_on),
		cmocka_unit_test(a_finished_or_wrong_checksum_is_left_alone),
		cmocka_unit_test(tso_packets_stay_whole),
		cmocka_unit_test(cut_off_packets_have_no_checksum),
		cmocka_unit_test(the_receiver_notices_every_corrupt_bit),
		cmocka_unit_test(a_reset_answers_a_syn),
		cmocka_unit_test(a_reset_within_a_connection_takes_its_number),
		cmocka_unit_test(others_are_unreachable),
		cmocka_unit_test(cut_off_packets_get_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
