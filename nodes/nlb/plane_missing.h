/* plane_missing.h - why the data plane can't be loaded or attached on this machine. */
#ifndef AZLAB_NLB_PLANE_MISSING_H
#define AZLAB_NLB_PLANE_MISSING_H
#include <stddef.h>

/* Writes the capabilities and kernel features that this process lacks, separated by commas; "" if none. */
void plane_missing(char *text, size_t size);
#endif
