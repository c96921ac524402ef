/* knot_clock.so - loaded into Knot so that it begins every update at once.
 *
 * Knot plans its zone events in whole seconds (time()), but sets the timer for the next one in so many
 * seconds from now (gettimeofday()). After an update at 7.6 s it plans a NOTIFY, which it does without
 * anybody to notify, for second 8; the timer then stands at 8.6 s. An update that comes at 8.1 s is planned
 * for second 8 too, which isn't earlier than what is planned already, so that the timer stays as it is: the
 * update waits until 8.6 s (Knot 3.2.6, events.c, _zone_events_schedule_at(); 3.5.6 is the same).
 *
 * With the timer's clock in whole seconds too, it stands at 8.0 s and goes off when second 8 begins. Knot
 * uses gettimeofday() for nothing else but the times of its log, which shows whole seconds. */
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	tv->tv_sec = time(NULL);
	tv->tv_usec = 0;
	return 0;
}
