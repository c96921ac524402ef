/* fault_attach.h - the fault program at the egress of devices: one clsact qdisc and one filter each.
 *
 * A device's filter is a port program of a few instructions that says where the packet is and tail-calls
 * the one fault program; so all namespaces share one loaded program and one set of maps. Errors: -errno. */
#ifndef AZLAB_FAULT_ATTACH_H
#define AZLAB_FAULT_ATTACH_H
#include <stdint.h>

struct mnl_socket;

/* Loads a port program that sets cb[0] to where and calls entry 0 of the program array; returns its
 * descriptor. When the array loses its entry (its last descriptor was closed), packets pass. */
int fault_port_load(int program_array, uint32_t where);

/* Attaches a port program to a device, over a NETLINK_ROUTE socket of the device's namespace. */
int fault_port_attach(struct mnl_socket *rtnl, unsigned ifindex, int program);
#endif
