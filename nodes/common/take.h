/* take.h - members of a configuration, checked as they are taken. What is wrong becomes one line in `why`.
 * All return 0 or -EINVAL; nothing is taken then. */
#ifndef AZLAB_TAKE_H
#define AZLAB_TAKE_H
#include <jansson.h>
#include <stddef.h>

enum { WHY_MAX = 200 };

/* Says what is wrong; -EINVAL. */
int wrong(char why[WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text that isn't empty, and fits. */
int take_string(const json_t *object, const char *key, char *to, size_t size, char why[WHY_MAX]);
/* An address of that family (AF_UNSPEC: of either), in the one form that comparisons rely on. */
int take_address(const json_t *object, const char *key, int family, char *to, size_t size, char why[WHY_MAX]);
/* A number within min and max; `fallback` stands for one that is missing: outside of them it has to be there.
 */
int take_number(const json_t *object, const char *key, double fallback, double min, double max, double *ret,
                char why[WHY_MAX]);
#endif
