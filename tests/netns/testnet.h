/* testnet.h - throwaway network namespaces for tests and benchmarks: without a name, gone with the process.
 * Every function ends the program with a message when it fails: a test without its network proves nothing. */
#ifndef AZLAB_TESTNET_H
#define AZLAB_TESTNET_H

/* A new namespace with lo up, IPv6 on without address-conflict detection, forwarding on, rp_filter off.
 * Returns a descriptor of it; the caller's own namespace stays as it was. */
int testnet_new(void);
/* Moves the calling thread into the namespace. */
void testnet_enter(int ns);
/* A veth between two namespaces as the lab makes them: both ends up, with the same MAC and NOARP. */
void testnet_link(int ns_a, const char *name_a, int ns_b, const char *name_b);
/* Runs a shell command inside the namespace; printf-like; ends the program if its status isn't 0. */
void testnet_run(int ns, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The namespace that the program was started in. */
int testnet_home(void);
#endif
