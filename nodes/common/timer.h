/* timer.h - libevent's timers by the lab's clock. What a timer waited for before is forgotten; 0 or -1, as of
 * event_add(), which fails only without memory. */
#ifndef AZLAB_TIMER_H
#define AZLAB_TIMER_H
#include "common/mono.h"
#include <event2/event.h>

/* Fires once when `span` is over; at once if that isn't positive. Rounded up to what libevent counts in: a
 * timer that fires within the microsecond before would find nothing due and only fire again. */
static inline int timer_after(struct event *timer, mono_ns span)
{
	struct timeval tv = mono_timeval(span + NS_PER_US - 1);

	return evtimer_add(timer, &tv);
}

/* Fires once at `due`; MONO_NEVER: not at all. */
static inline int timer_at(struct event *timer, mono_ns due, mono_ns now)
{
	return due == MONO_NEVER ? evtimer_del(timer) : timer_after(timer, due - now);
}
#endif
