#include "orchestrator/topology/topology_yaml.h"
#include <errno.h>
#include <libfyaml.h>
#include <stdarg.h>

struct builder {
	const struct yaml *y;
	struct fy_diag *diag; /* the parser's complaints */
	struct fy_parser *parser;
	const char *text; /* what is parsed */
	const char *set;
	struct yaml_node here; /* place of the last event that had one */
};

int yaml_fail(const struct yaml *y, const struct yaml_node *n, const char *format, ...)
{
	char *text = y->error->text;
	size_t size = sizeof(y->error->text);
	int used = n->set ? snprintf(text, size, "%s: ", n->set)
	                  : snprintf(text, size, "%s:%d:%d: ", y->file, n->line, n->column);
	va_list args;

	if (used < 0 || (size_t)used >= size) return -EINVAL;
	va_start(args, format);
	vsnprintf(text + used, size - (size_t)used, format, args);
	va_end(args);
	return -EINVAL;
}

const char *yaml_describe(const struct yaml_node *n, char *buf, size_t size)
{
	switch (n->kind) {
	case YAML_NULL:
		return "nothing";
	case YAML_LIST:
		return "a list";
	case YAML_MAP:
		return "a map";
	case YAML_SCALAR:
		break;
	}
	snprintf(buf, size, strlen(n->text) > 60 ? "'%.60s...'" : "'%s'", n->text);
	return buf;
}

/* --- bytes ------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at s (Unicode 15, table 3-7, less the check of surrogates), 0 if there is
 * none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80   ? 1
	           : s[0] < 0xc2 ? 0
	           : s[0] < 0xe0 ? 2
	           : s[0] < 0xf0 ? 3
	           : s[0] < 0xf5 ? 4
	                         : 0;

	if (n > left) return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) return 0;
	}
	if (n == 3 && s[0] == 0xe0 && s[1] < 0xa0) return 0;
	if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))) return 0;
	return n;
}

static int check_bytes(const struct builder *b, const char *text, size_t len)
{
	struct yaml_node at = { .line = 1, .column = 1, .set = b->set };

	if (len > YAML_BYTES_MAX) return yaml_fail(b->y, &at, "larger than 1 MiB: this is no topology");
	for (size_t i = 0, n; i < len; i += n, at.column++) {
		unsigned char c = (unsigned char)text[i];
		n = utf8_length((const unsigned char *)text + i, len - i);
		if (n == 0) return yaml_fail(b->y, &at, "byte 0x%02x is not UTF-8", c);
		if ((c < 0x20 && !strchr("\t\n\r", c)) || c == 0 || c == 0x7f) {
			return yaml_fail(b->y, &at, "control character 0x%02x: a topology is plain text", c);
		}
		if (c == '\n') at.line++, at.column = 0;
	}
	return 0;
}

/* --- events to nodes --------------------------------------------------------------------------------- */

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind)
{
	struct yaml_node *n = arena_alloc(b->y->arena, 1, sizeof(*n));
	*n = b->here;
	n->kind = kind;
	return n;
}

/* Marks of aliases and quoted scalars stand behind the asterisk or the quote. */
static bool marked_late(const struct fy_event *e)
{
	if (e->type != FYET_SCALAR || !e->scalar.value) return e->type == FYET_ALIAS;
	enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* The next event, its place noted in b->here; NULL at the end and on errors. */
static struct fy_event *next_event(struct builder *b)
{
	struct fy_event *e = fy_parser_parse(b->parser);
	const struct fy_mark *m = e ? fy_event_start_mark(e) : NULL;
	/* an empty value has no mark: it stands where its key does */
	if (m) b->here.line = m->line + 1, b->here.column = m->column + 1 - marked_late(e);
	return e;
}

static int parser_failed(struct builder *b)
{
	const struct fy_diag_error *e;
	void *at = NULL;

	while ((e = fy_diag_errors_iterate(b->diag, &at)) && e->type != FYET_ERROR)
		;
	if (!e) return yaml_fail(b->y, &b->here, "not YAML");
	b->here.line = e->line;
	b->here.column = e->column;
	return yaml_fail(b->y, &b->here, "%s", e->msg);
}

static int build(struct builder *b, struct fy_event *e, int depth, struct yaml_node **ret);

static void append(struct builder *b, struct yaml_node *parent, size_t *room, size_t used,
                   struct yaml_node *item)
{
	if (used == *room) {
		size_t more = *room ? *room * 2 : 8;
		struct yaml_node **items = arena_alloc(b->y->arena, more, sizeof(struct yaml_node *));
		if (used) memcpy(items, parent->items, used * sizeof(struct yaml_node *));
		parent->items = items;
		*room = more;
	}
	parent->items[used] = item;
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_node *const *x = a, *const *y = b;
	int order = strcmp((*x)->text, (*y)->text);
	if (order) return order;
	return (*x)->line != (*y)->line ? (*x)->line - (*y)->line : (*x)->column - (*y)->column;
}

static int check_keys(struct builder *b, const struct yaml_node *map)
{
	struct yaml_node **keys = arena_alloc(b->y->arena, map->n, sizeof(struct yaml_node *));

	for (size_t i = 0; i < map->n; i++) {
		keys[i] = map->items[2 * i];
		if (keys[i]->kind != YAML_SCALAR)
			return yaml_fail(b->y, keys[i], "expected a plain word as the key");
	}
	qsort(keys, map->n, sizeof(struct yaml_node *), compare_keys);
	for (size_t i = 1; i < map->n; i++) {
		if (strcmp(keys[i - 1]->text, keys[i]->text)) continue;
		return yaml_fail(b->y, keys[i], "key '%.60s' stands here twice, first in line %d",
		                 keys[i]->text, keys[i - 1]->line);
	}
	return 0;
}

static int build_collection(struct builder *b, struct yaml_node *parent, enum fy_event_type end, int depth)
{
	size_t room = 0, used = 0;
	struct fy_event *e;

	if (depth == YAML_DEPTH_MAX)
		return yaml_fail(b->y, parent, "nested deeper than %d levels", YAML_DEPTH_MAX);
	while ((e = next_event(b))) {
		struct yaml_node *item;
		if (e->type == end) {
			fy_parser_event_free(b->parser, e);
			parent->n = parent->kind == YAML_MAP ? used / 2 : used;
			return parent->kind == YAML_MAP ? check_keys(b, parent) : 0;
		}
		int r = build(b, e, depth + 1, &item);
		if (r < 0) return r;
		append(b, parent, &room, used++, item);
	}
	return parser_failed(b);
}

/* libfyaml (0.7.12) reads three quotes where two escaped ones follow each other in single quotes. */
static bool misread(const struct builder *b, struct fy_token *token)
{
	const struct fy_mark *from = fy_token_start_mark(token), *to = fy_token_end_mark(token);

	return fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED &&
	       memmem(b->text + from->input_pos, to->input_pos - from->input_pos, "''''", 4);
}

static int build_scalar(struct builder *b, struct fy_token *token, struct yaml_node **ret)
{
	struct yaml_node *n = new_node(b, YAML_SCALAR);
	bool plain = token && fy_token_scalar_style(token) == FYSS_PLAIN;
	size_t len = 0;

	if (token && misread(b, token))
		return yaml_fail(b->y, n,
		                 "'' right after '' is not understood: put this text in double quotes");
	const char *text = token ? fy_token_get_text(token, &len) : NULL;
	n->text = arena_text(b->y->arena, text ? text : "", text ? len : 0);
	if (strlen(n->text) != len) return yaml_fail(b->y, n, "a text must not contain NUL");
	if (!token || (plain && (len == 0 || !strcmp(n->text, "~") || !strcmp(n->text, "null"))))
		n->kind = YAML_NULL;
	*ret = n;
	return 0;
}

/* Consumes the event and all that belongs to its value. */
static int build(struct builder *b, struct fy_event *e, int depth, struct yaml_node **ret)
{
	enum fy_event_type type = e->type;
	bool marked = fy_event_get_anchor_token(e) || fy_event_get_tag_token(e);
	int r = 0;

	if (type == FYET_ALIAS || marked) {
		r = yaml_fail(b->y, &b->here,
		              "anchors (&), aliases (*) and tags (!) are not used here: write the value out");
	} else if (type == FYET_SCALAR) {
		r = build_scalar(b, e->scalar.value, ret);
	}
	fy_parser_event_free(b->parser, e);
	if (r < 0 || type == FYET_SCALAR) return r;
	if (type != FYET_MAPPING_START && type != FYET_SEQUENCE_START)
		return yaml_fail(b->y, &b->here, "not YAML");
	*ret = new_node(b, type == FYET_MAPPING_START ? YAML_MAP : YAML_LIST);
	return build_collection(b, *ret, type == FYET_MAPPING_START ? FYET_MAPPING_END : FYET_SEQUENCE_END,
	                        depth);
}

static int build_stream(struct builder *b, struct yaml_node **ret)
{
	struct fy_event *e;

	*ret = NULL;
	while ((e = next_event(b))) {
		enum fy_event_type type = e->type;
		int r = 0;
		if (type == FYET_STREAM_START || type == FYET_DOCUMENT_START || type == FYET_DOCUMENT_END ||
		    type == FYET_STREAM_END) {
			fy_parser_event_free(b->parser, e);
			if (type == FYET_DOCUMENT_START && *ret)
				r = yaml_fail(b->y, &b->here, "a second document begins");
		} else {
			r = build(b, e, 0, ret);
		}
		if (r < 0) return r;
	}
	if (fy_parser_get_stream_error(b->parser)) return parser_failed(b);
	if (!*ret) *ret = new_node(b, YAML_NULL);
	return 0;
}

static int parse(const struct yaml *y, const char *set, const char *text, size_t len, struct yaml_node **ret)
{
	struct builder b = {
		.y = y, .text = text, .set = set, .here = { .line = 1, .column = 1, .set = set }
	};
	struct fy_diag_cfg diag_config;
	struct fy_parse_cfg config = { 0 };
	int r = check_bytes(&b, text, len);

	if (r < 0) return r;
	fy_diag_cfg_default(&diag_config);
	diag_config.fp = NULL;
	diag_config.colorize = false;
	b.diag = config.diag = fy_diag_create(&diag_config);
	if (!b.diag) return yaml_fail(y, &b.here, "out of memory");
	/* to be told instead of shown: what shows an error writes past its buffer at long lines (0.7.12) */
	fy_diag_set_collect_errors(b.diag, true);
	b.parser = fy_parser_create(&config);
	if (!b.parser || fy_parser_set_string(b.parser, text, len) < 0) {
		r = yaml_fail(y, &b.here, "out of memory");
	} else {
		r = build_stream(&b, ret);
	}
	fy_diag_set_collect_errors(b.diag, false); /* or those collected are not freed */
	fy_parser_destroy(b.parser);
	fy_diag_unref(b.diag);
	return r;
}

int yaml_parse(const struct yaml *y, const char *text, size_t len, struct yaml_node **ret)
{
	return parse(y, NULL, text, len, ret);
}

int yaml_parse_value(const struct yaml *y, const char *set, const char *text, struct yaml_node **ret)
{
	return parse(y, set, text, strlen(text), ret);
}
