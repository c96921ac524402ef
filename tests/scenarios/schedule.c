/* schedule - how many requests a client's schedule holds: what a run has to have made, to the last one.
 *   schedule SEED NODE RATE_PER_S SECONDS */
#include "common/arrivals.h"
#include "common/mono.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: schedule SEED NODE RATE_PER_S SECONDS\n");
		return 2;
	}
	mono_ns span = (mono_ns)(atof(argv[4]) * (double)NS_PER_S);
	printf("%llu\n", (unsigned long long)arrivals_count(strtoull(argv[1], NULL, 10), argv[2],
	                                                    atof(argv[3]), true, span));
	return 0;
}
