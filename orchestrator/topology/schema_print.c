/* Printing by the tables: values as YAML that reads back the same, and the reference for users. */
#include "orchestrator/topology/schema.h"
#include <inttypes.h>

void schema_print_key(struct printer *p, const char *key)
{
	if (p->dash) {
		fprintf(p->out, "%*s- %s:", p->indent - 2, "", key);
	} else {
		fprintf(p->out, "%*s%s:", p->indent, "", key);
	}
	p->dash = false;
}

void schema_print_text(FILE *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";

	if (*text && *text != '-' && *text != '.' && text[strspn(text, plain)] == 0 && strcmp(text, "null")) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text; text++) {
		switch (*text) {
		case '"':
		case '\\':
			fprintf(out, "\\%c", *text);
			break;
		case '\n':
			fputs("\\n", out);
			break;
		case '\r':
			fputs("\\r", out);
			break;
		case '\t':
			fputs("\\t", out);
			break;
		default:
			if ((unsigned char)*text < 0x20 || *text == 0x7f) {
				fprintf(out, "\\x%02x", (unsigned char)*text);
			} else {
				putc(*text, out);
			}
		}
	}
	putc('"', out);
}

static const char *choice_name(const struct schema_field *f, int value)
{
	for (const struct schema_choice *c = f->choices; c && c->name; c++) {
		if (c->value == value) return c->name;
	}
	return NULL;
}

static void print_scalar(FILE *out, const struct schema_field *f, const void *at)
{
	char buf[64];
	const char *word;

	switch (f->kind) {
	case FIELD_COUNT:
		word = choice_name(f, *(const int *)at);
		if (word) {
			fputs(word, out);
		} else {
			fprintf(out, "%u", *(const unsigned *)at);
		}
		break;
	case FIELD_PORT:
		fprintf(out, "%u", *(const uint16_t *)at);
		break;
	case FIELD_SEED:
		fprintf(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case FIELD_DURATION:
		fputs(schema_format_duration(*(const mono_ns *)at, buf, sizeof(buf)), out);
		break;
	case FIELD_RATE:
		fputs(schema_format_rate(*(const double *)at, buf, sizeof(buf)), out);
		break;
	case FIELD_FRACTION:
		fputs(schema_format_fraction(*(const double *)at, buf, sizeof(buf)), out);
		break;
	case FIELD_SWITCH:
		word = f->choices ? choice_name(f, *(const bool *)at) : *(const bool *)at ? "on" : "off";
		fputs(word, out);
		break;
	case FIELD_CHOICE:
		fputs(choice_name(f, *(const int *)at), out);
		break;
	default:
		schema_print_text(out, *(const char *const *)at);
		break;
	}
	putc('\n', out);
}

static void print_texts(struct printer *p, const struct schema_field *f, const char *const *texts, size_t n)
{
	schema_print_key(p, f->key);
	fputs(" [", p->out);
	for (size_t i = 0; i < n; i++) {
		if (i) fputs(", ", p->out);
		schema_print_text(p->out, texts[i]);
	}
	fputs("]\n", p->out);
}

static void print_elements(struct printer *p, const struct schema_field *f, const char *elements, size_t n)
{
	struct printer inner = { p->out, p->indent + 4, false };

	if (n == 0) return;
	schema_print_key(p, f->key);
	putc('\n', p->out);
	for (size_t i = 0; i < n; i++) {
		const char *element = elements + i * f->schema->size;
		if (f->kind == FIELD_NAMED) {
			fprintf(p->out, "%*s%s:\n", p->indent + 2, "", *(const char *const *)element);
		} else {
			inner.dash = true;
		}
		schema_print(&inner, f->schema, element);
	}
}

/* How many elements a list has; 0 or 1 for a map that may be missing. */
static size_t count_of(const struct schema_field *f, const void *base)
{
	return *(const size_t *)((const char *)base + f->count_offset);
}

static void print_field(struct printer *p, const struct schema_field *f, const void *base)
{
	const char *at = (const char *)base + f->offset;
	struct printer inner = { p->out, p->indent + 2, false };

	switch (f->kind) {
	case FIELD_NAMES:
		print_texts(p, f, (const char *const *)at, count_of(f, base));
		break;
	case FIELD_TEXTS:
		if (count_of(f, base)) print_texts(p, f, *(const char *const *const *)at, count_of(f, base));
		break;
	case FIELD_LIST:
	case FIELD_NAMED:
		print_elements(p, f, *(const char *const *)at, count_of(f, base));
		break;
	case FIELD_MAP:
		if (f->count_offset && !count_of(f, base)) break;
		schema_print_key(p, f->key);
		putc('\n', p->out);
		schema_print(&inner, f->schema, at);
		break;
	case FIELD_CUSTOM:
		f->custom->print(p, f->key, base);
		break;
	default:
		if ((f->kind == FIELD_NAME || f->kind == FIELD_TEXT) && !*(const char *const *)at) break;
		schema_print_key(p, f->key);
		putc(' ', p->out);
		print_scalar(p->out, f, at);
	}
}

void schema_print(struct printer *p, const struct schema *s, const void *base)
{
	for (const struct schema_field *f = s->fields; f->key; f++)
		print_field(p, f, base);
	if (s->rest) s->rest->print(p, NULL, base);
}

/* --- the reference ----------------------------------------------------------------------------------- */

static void field_path(const struct schema_field *f, const char *path, char *buf, size_t size)
{
	const char *element = f->kind == FIELD_LIST ? "[]" : f->kind == FIELD_NAMED ? ".NAME" : "";
	snprintf(buf, size, "%s%s%s%s", path, *path ? "." : "", f->key, element);
}

static void reference_row(FILE *out, const struct schema_field *f)
{
	char expected[256];
	const char *fallback = f->fallback            ? f->fallback
	                       : f->otherwise         ? f->otherwise
	                       : f->kind == FIELD_MAP ? ""
	                                              : "**required**";
	const char *tick = f->fallback ? "`" : "";

	fprintf(out, "| `%s` | %s | %s%s%s | %s |\n", f->key, schema_expected(f, expected, sizeof(expected)),
	        tick, fallback, tick, f->help);
}

void schema_reference(FILE *out, const struct schema *s, const char *path)
{
	char inner[256];

	fprintf(out, "\n## %s%s%s\n\n%s\n\n", *path ? "`" : "", *path ? path : "The file", *path ? "`" : "",
	        s->title);
	fputs("| key | value | default | meaning |\n|---|---|---|---|\n", out);
	for (const struct schema_field *f = s->fields; f->key; f++)
		reference_row(out, f);
	if (s->rest) s->rest->reference(out);
	for (const struct schema_field *f = s->fields; f->key; f++) {
		field_path(f, path, inner, sizeof(inner));
		if (f->schema) schema_reference(out, f->schema, inner);
		if (f->custom && f->custom->reference) {
			fprintf(out, "\n## `%s`\n\n", inner);
			f->custom->reference(out);
		}
	}
}
