/* summary_markup.h - text in XML and HTML, where names that users gave must not become markup. */
#ifndef AZLAB_SUMMARY_MARKUP_H
#define AZLAB_SUMMARY_MARKUP_H
#include <stdio.h>

/* Writes text as content or attribute; characters that XML forbids become U+FFFD. */
void markup_escape(FILE *out, const char *text);
/* As fprintf with nothing but %s, whose arguments are escaped; NULL is empty. */
void markup_put(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
