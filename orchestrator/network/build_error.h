/* build_error.h - why a lab could not be built, in one line for the user: what failed, on which object, why,
 * and what to do about it. */
#ifndef AZLAB_BUILD_ERROR_H
#define AZLAB_BUILD_ERROR_H

struct build_error {
	char text[512];
};

/* Fills in *e (may be NULL): "MESSAGE: strerror(error)", and "; " with the remedy if not NULL. Returns
 * -error. */
int build_fail(struct build_error *e, int error, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#endif
