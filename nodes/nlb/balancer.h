/* balancer.h - the load balancer's control side: registrations and health in, lookup tables, events and
 * figures out. Handlers of the management channel; see node.h. */
#ifndef AZLAB_NLB_BALANCER_H
#define AZLAB_NLB_BALANCER_H
#include "common/node.h"

node_handler balancer_start, balancer_targets, balancer_set;
#endif
