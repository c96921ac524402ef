/* log.h - one line a message on standard error: "PROGRAM[NAME]: message". A node's standard error is its
 * log file in the run folder. Library code returns errors instead of logging them. */
#ifndef AZLAB_LOG_H
#define AZLAB_LOG_H

/* Sets the prefix of all later lines; the strings must outlive the process. name may be NULL. */
void log_init(const char *program, const char *name);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs "message: strerror(-error)" and returns error, so that `return log_errno(r, ...)` reads well. */
int log_errno(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
