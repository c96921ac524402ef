/* dns_tcp.h - one DNS question over TCP, for an answer that didn't fit a datagram (RFC 7766). Used by
 * dns_client.h, which signs, times and decodes. */
#ifndef AZLAB_DNS_TCP_H
#define AZLAB_DNS_TCP_H
#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct dns_tcp;
/* Called once, from the loop: the answer, borrowed, or len 0 if the connection failed or ended too early.
 * May free the conversation. */
typedef void dns_tcp_done(const uint8_t *wire, size_t len, void *arg);

/* 0 or -errno; the caller owns *ret and frees it, after done or before. */
int dns_tcp_ask(struct event_base *base, const struct sockaddr *server, socklen_t server_len,
                const uint8_t *wire, size_t len, dns_tcp_done *done, void *arg, struct dns_tcp **ret);
void dns_tcp_free(struct dns_tcp *t);
#endif
