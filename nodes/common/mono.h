/* mono.h - the lab's one clock: CLOCK_MONOTONIC in nanoseconds. Namespaces share it, so instants taken
 * by different nodes compare. */
#ifndef AZLAB_MONO_H
#define AZLAB_MONO_H
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

typedef int64_t mono_ns;

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
/* An instant that doesn't come. */
#define MONO_NEVER INT64_MAX

static inline mono_ns mono_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A span as configurations and figures show it. */
static inline double mono_ms(mono_ns span)
{
	return (double)span / NS_PER_MS;
}

/* Milliseconds since 1970, for what outlives a process or meets other clocks: a lock's expiry, a plan's age.
 */
static inline int64_t wall_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / NS_PER_MS;
}

/* A span as libevent wants it; negative spans become zero. */
static inline struct timeval mono_timeval(mono_ns span)
{
	if (span < 0) span = 0;
	return (struct timeval){ .tv_sec = span / NS_PER_S, .tv_usec = span % NS_PER_S / NS_PER_US };
}
#endif
