/* Runs azlab-dynamodb in this network namespace until it is told to end, for benchmarks.
 *   dynamodb_server PORT FOLDER */
#include "tests/netns/testnet.h"
#include "tests/netns/testnode.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	sigset_t end;
	int signal;

	if (argc != 3) {
		fputs("usage: dynamodb_server PORT FOLDER\n", stderr);
		return 2;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	struct testnode *t = testnode_start(&(struct testnode_spec){
	    .ns = testnet_home(),
	    .daemon = "dynamodb",
	    .name = "region.dynamodb-1",
	    .zone = "region",
	    .config = json_pack("{s:i, s:s}", "port", atoi(argv[1]), "store", argv[2]) });
	sigwait(&end, &signal);
	return testnode_stop(t);
}
