/* knobs.h - what an operator may turn while a DWFM host works. docs/ec2.md says what each does. */
#ifndef AZLAB_DWFM_KNOBS_H
#define AZLAB_DWFM_KNOBS_H
#include "common/mono.h"
#include <jansson.h>
#include <stdbool.h>

enum { DWFM_WORKERS_MAX = 256 };
enum dwfm_discipline { DWFM_FIFO, DWFM_LIFO, DWFM_CODEL };

struct dwfm_knobs {
	unsigned workers;    /* 1..DWFM_WORKERS_MAX */
	mono_ns work_time;   /* at least, of a state check */
	mono_ns timeout;     /* of an attempt, from when it was queued */
	mono_ns lease;       /* how long one lasts */
	mono_ns renew_every; /* < lease */
	mono_ns start_over;  /* over how long a starting host spreads its first attempts */
	enum dwfm_discipline discipline;
	unsigned admission; /* attempts waiting, past which none is let in; 0: off */
	bool deadlines;     /* drop what has outlived its time-out before it costs anything */
	mono_ns backoff;    /* before the first retry, then doubling; 0: none */
	mono_ns backoff_max;
	bool full_jitter;    /* a random part of the back-off */
	double retry_budget; /* retries per first attempt; 0: off */
	bool spread;         /* leases of different lengths */
	bool renewals_first; /* before lifecycle operations */
};

/* 0, or -EINVAL with the wrong member's name in *ret_member; *ret is then untouched. */
int dwfm_knobs_read(const json_t *config, struct dwfm_knobs *ret, const char **ret_member);
#endif
