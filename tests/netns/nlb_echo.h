/* nlb_echo.h - echoing targets behind the load balancer, and a client that checks every byte; for cmocka
 * tests. */
#ifndef AZLAB_NLB_ECHO_H
#define AZLAB_NLB_ECHO_H
#include "tests/netns/nlb_lab.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { TRANSFER = 300 * 1024, CHUNK = 16 * 1024 };

static struct nlb_lab lab;

/* --- a target: says its number, then echoes until the client has ended ------------------------------- */

static inline void echo(int fd, uint8_t number)
{
	uint8_t buf[CHUNK];
	ssize_t n = write(fd, &number, 1);

	while (n > 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, k; done < n; done += k)
			if ((k = write(fd, buf + done, (size_t)(n - done))) <= 0) return;
}

static inline void serve(int number)
{
	int listener = lab_listen(LAB_PORT), fd;

	signal(SIGCHLD, SIG_IGN);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			echo(fd, (uint8_t)number);
			_exit(0);
		}
		close(fd);
	}
}

/* --- a client ---------------------------------------------------------------------------------------- */

/* Connects to the zonal address; the socket, and which target it is. */
static inline int open_flow(bool v6, int *ret_target)
{
	int fd = lab_connect(lab.client, lab_zonal[v6], LAB_PORT);
	uint8_t number;

	if (fd < 0) fail_msg("connect over IPv%d: %s", v6 ? 6 : 4, strerror(-fd));
	assert_int_equal(recv(fd, &number, 1, MSG_WAITALL), 1);
	*ret_target = number;
	return fd;
}

/* Sends n bytes of a pattern and gets them back bit for bit, both directions at once. */
static inline void exchange(int fd, size_t n)
{
	static uint8_t sent[TRANSFER], got[TRANSFER];
	size_t out = 0, in = 0;

	for (size_t i = 0; i < n; i++)
		sent[i] = (uint8_t)(i * 31 + (i >> 8));
	while (in < n) {
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (out < n ? POLLOUT : 0)) };
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		if (p.revents & POLLOUT) {
			ssize_t k = send(fd, sent + out, n - out, MSG_DONTWAIT);
			if (k > 0) out += (size_t)k;
		}
		if (p.revents & (POLLIN | POLLHUP)) {
			ssize_t k = recv(fd, got + in, n - in, MSG_DONTWAIT);
			assert_true(k > 0);
			in += (size_t)k;
		}
	}
	assert_memory_equal(sent, got, n);
}

static inline void finish(int fd)
{
	uint8_t byte;
	shutdown(fd, SHUT_WR);
	assert_int_equal(recv(fd, &byte, 1, MSG_WAITALL), 0);
	close(fd);
}

static inline int open_all(void **state)
{
	(void)state;
	lab_open(&lab);
	for (int i = 0; i < LAB_TARGETS; i++)
		lab_spawn(lab.target[i], serve, i + 1);
	for (int i = 0; i < LAB_TARGETS; i++) { /* ready when it takes connections */
		int fd = -1;
		for (int tries = 0; fd < 0 && tries < 1000; tries++)
			fd = lab_connect(lab.client, lab_target(i, false), LAB_PORT);
		if (fd < 0) return -1;
		close(fd);
	}
	return 0;
}
#endif
