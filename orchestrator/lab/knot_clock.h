/* knot_clock.h - the clock that Knot is given so that no update waits for the next second; the reason stands
 * in preload/knot_clock.c. It is part of this program, and Knot gets it as an inherited descriptor: no path
 * that its user couldn't read, no file system that nothing may be executed from. */
#ifndef AZLAB_KNOT_CLOCK_H
#define AZLAB_KNOT_CLOCK_H

struct knot_clock {
	int fd;            /* to be inherited under its number; -1: there is none, and updates may wait */
	char variable[64]; /* "LD_PRELOAD=..." */
};

/* The one of this process, for as long as it lives. */
const struct knot_clock *knot_clock(void);
#endif
