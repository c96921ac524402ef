/* junit.h - a summary as junit.xml, which CI systems show: one test case for each expectation. A run that
 * can't be believed makes them errors, not failures. */
#ifndef AZLAB_JUNIT_H
#define AZLAB_JUNIT_H
#include <jansson.h>
#include <stdio.h>

/* 0 or -errno. */
int junit_write(const json_t *summary, FILE *out);
#endif
