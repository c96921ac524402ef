/* Checksums behind the load balancer, as they are on the wire. A wrong one can pass unseen between
 * namespaces, as a veth carries most of them partial and trusts them: so they are taken off the wire and
 * computed, both whole and partial. */
#include "tests/netns/nlb_echo.h"
#include "tests/netns/nlb_packet.h"
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>

static struct testnode *nlb;

static int start(void **state)
{
	(void)state;
	nlb = lab_start_nlb(&lab, lab_config());
	return 0;
}
static int stop(void **state)
{
	(void)state;
	return testnode_stop(nlb);
}

/* What the kernel says about a captured packet's checksum, and the packet. */
struct captured {
	struct virtio_net_hdr head;
	uint8_t frame[70000];
};

static int capture_on(int ns)
{
	int fd = lab_socket(ns, AF_PACKET, SOCK_RAW), yes = 1;
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	testnet_enter(ns);
	at.sll_ifindex = (int)if_nametoindex("eth0");
	testnet_enter(testnet_home());
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* True if a TCP segment's checksum is right: whole, or, where the rest is left to the hardware, over the
 * addresses. */
static bool checksum_right(const struct captured *c, size_t len)
{
	bool v6 = c->frame[12] == 0x86, partial = c->head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	size_t l4 = ETH_HLEN + (v6 ? 40 : 20), segment = len - l4;
	uint32_t pseudo = pseudo_sum(c->frame + ETH_HLEN, v6, IPPROTO_TCP, segment);

	if (!v6 && sum16(c->frame + ETH_HLEN, 20, 0) != 0xffff) return false;
	if (partial) return get16(c->frame + l4 + 16) == pseudo;
	return sum16(c->frame + l4, segment, pseudo) == 0xffff;
}

/* Checks every TCP segment that came in at a socket; returns how many there were, and how many were partial.
 */
static unsigned check_captured(int fd, unsigned *ret_partial)
{
	static struct captured c;
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	unsigned segments = 0;
	ssize_t n;

	while ((n = recvfrom(fd, &c, sizeof(c), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len)) > 0) {
		bool v6 = c.frame[12] == 0x86;
		if (from.sll_pkttype == PACKET_OUTGOING || c.frame[ETH_HLEN + (v6 ? 6 : 9)] != IPPROTO_TCP)
			continue;
		if (!checksum_right(&c, (size_t)n - sizeof(c.head)))
			fail_msg("segment %u: wrong checksum", segments);
		*ret_partial += !!(c.head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
		segments++;
	}
	return segments;
}

/* As ethtool -K eth0 tx on|off. */
static void offload_checksums(int ns, bool on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = on };
	struct ifreq request = { .ifr_name = "eth0", .ifr_data = (char *)&value };
	int fd = lab_socket(ns, AF_INET, SOCK_DGRAM);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
}

static void assert_checksums(bool partial)
{
	for (int v6 = 0; v6 < 2; v6++) {
		int at_target = capture_on(lab.target[0]), at_client = capture_on(lab.client), target;
		int fd = open_flow(v6, &target);
		unsigned counted = 0;
		exchange(fd, 20000);
		finish(fd);
		assert_true(check_captured(at_target, &counted) > 3);
		assert_true(check_captured(at_client, &counted) > 3);
		assert_true(partial == (counted > 0));
		close(at_target), close(at_client);
	}
}

static void partial_checksums_are_right(void **state)
{
	(void)state;
	lab_register(nlb, 1);
	assert_checksums(true);
}

static void whole_checksums_are_right(void **state)
{
	(void)state;
	lab_register(nlb, 1);
	offload_checksums(lab.client, false);
	offload_checksums(lab.target[0], false);
	assert_checksums(false);
	offload_checksums(lab.client, true);
	offload_checksums(lab.target[0], true);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = { T(partial_checksums_are_right), T(whole_checksums_are_right) };
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, open_all, NULL);
}
