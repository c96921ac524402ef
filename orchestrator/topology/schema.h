/* schema.h - what may stand in a topology file, as tables: one row a key. Reading, defaults, messages,
 * printing and the reference in docs/topology.md all come from the same rows.
 *
 * To add a key: a member in topology.h and a row in topology_schema.c. Errors are -EINVAL with the place
 * and what was expected in y->error. Values live in y->arena. */
#ifndef AZLAB_SCHEMA_H
#define AZLAB_SCHEMA_H
#include "orchestrator/topology/topology_yaml.h"

enum schema_kind {
	FIELD_NAME,     /* const char *: a DNS label of at most max bytes */
	FIELD_TEXT,     /* const char * */
	FIELD_COUNT,    /* unsigned; choices are words for numbers outside min..max */
	FIELD_PORT,     /* uint16_t */
	FIELD_SEED,     /* uint64_t */
	FIELD_DURATION, /* mono_ns */
	FIELD_RATE,     /* double, per second */
	FIELD_FRACTION, /* double, 0..1 */
	FIELD_SWITCH,   /* bool: on or off, or two choices of its own */
	FIELD_CHOICE,   /* int or enum: one of choices */
	FIELD_NAMES,    /* const char *[max] in place, with a count: a list of names */
	FIELD_TEXTS,    /* const char ** with a count: a list of texts */
	FIELD_MAP,      /* a struct in place: keys of its own; with a count it may be absent, as a whole */
	FIELD_LIST,     /* struct * with a count: a list of maps */
	FIELD_NAMED,    /* struct * with a count: a map from names (const char *, the first member) to maps */
	FIELD_CUSTOM,   /* reads and prints itself */
};

struct schema_choice {
	const char *name;
	int value;
};
struct schema;
struct schema_field;

/* Where printing stands. */
struct printer {
	FILE *out;
	int indent;
	bool dash; /* the next line begins a list's element */
};
struct schema_custom {
	const char *expected; /* "a list of stages" */
	int (*read)(const struct yaml *y, const struct yaml_node *value, void *base);
	void (*print)(struct printer *p, const char *key, const void *base);
	void (*reference)(FILE *out);
};

struct schema_field {
	const char *key; /* the table ends with NULL */
	enum schema_kind kind;
	size_t offset, count_offset;
	const char *fallback;  /* the default, as one writes it */
	const char *otherwise; /* for keys that may be missing without a fixed default: what holds then */
	double min, max;       /* inclusive; lists: of their length; neither: any */
	const struct schema_choice *choices;
	const struct schema *schema; /* of the map, or of each element */
	const struct schema_custom *custom;
	const char *help;
};
struct schema {
	const char *title; /* a sentence for the reference */
	size_t size;
	const struct schema_field *fields;
	const struct schema_custom *rest; /* takes the keys that no field has: gets the whole map */
	size_t line_offset;               /* of an int that takes the line of the map; 0: none */
};

int schema_read(const struct yaml *y, const struct schema *s, const struct yaml_node *map, void *base);
/* Reads one value into base + offset. */
int schema_read_value(const struct yaml *y, const struct schema_field *f, const struct yaml_node *value,
                      void *base);
void schema_print(struct printer *p, const struct schema *s, const void *base);
/* The tables as a page of Markdown sections, nested maps after their parents. */
void schema_reference(FILE *out, const struct schema *s, const char *path);
/* "a duration from 1ms to 1h, such as 250ms". */
const char *schema_expected(const struct schema_field *f, char *buf, size_t size);

/* Starts a line: indentation, a dash where one is due, the key. */
void schema_print_key(struct printer *p, const char *key);
/* A text as YAML, quoted where it has to be. */
void schema_print_text(FILE *out, const char *text);

/* Texts to values; false if it is none. Times take ns, us, ms, s, m, h; rates /s, /m, /h; fractions 50% or
 * 0.5. */
bool schema_duration(const char *text, mono_ns *ret);
bool schema_rate(const char *text, double *ret);
bool schema_fraction(const char *text, double *ret);
bool schema_count(const char *text, uint64_t *ret);
bool schema_number(const char *text, double *ret);
bool schema_label(const char *text, size_t max);
/* And back: the shortest text that gives exactly the same value again. */
const char *schema_format_duration(mono_ns value, char *buf, size_t size);
const char *schema_format_rate(double value, char *buf, size_t size);
const char *schema_format_fraction(double value, char *buf, size_t size);

/* The name out of n that a misspelt word is near to, or NULL. */
const char *schema_near(const char *word, const char *const *names, size_t n);
/* ", did you mean 'X'?" in buf, or an empty text. */
const char *schema_hint(const char *word, const char *const *names, size_t n, char *buf, size_t size);
#endif
