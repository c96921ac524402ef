/* classes.h - how traffic classes look on the wire: DSCP and ports. tshark sees them, faults match them.
 * CS6 and CS2 are the code points that RFC 4594 gives network control and OAM. Shared with bpf/. */
#ifndef AZLAB_CLASSES_H
#define AZLAB_CLASSES_H

enum {
	DSCP_CS2 = 16, /* health checks */
	DSCP_CS6 = 48, /* route updates, control */

	PORT_DNS = 53,
	PORT_ROUTE_MANAGER = 7001,   /* network-manager: acknowledgements come here; UDP */
	PORT_ROUTE_AGENT = 7002,     /* network-agent: route updates come here; UDP */
	PORT_HEALTH_REPORT = 7003,   /* az-failover and nlb: health reports come here; UDP */
	PORT_HEALTH_CHECKER = 7004,  /* health-checker: its acknowledgements come here; UDP */
	PORT_LEASE = 8300,           /* droplets: state checks, grants, orders; UDP */
	PORT_EC2_API = 8080,         /* ec2-api: AWS's Query protocol; HTTP */
	PORT_DWFM = 8400,            /* DWFM's API; HTTP */
	PORT_NETWORK_MANAGER = 8500, /* network-manager's API; HTTP */
	PORT_DNS_PLANS = 8053,       /* dns-planner: the plan store; HTTP */
};
#define TOS_OF_DSCP(dscp) ((dscp) << 2)
#endif
