#include "server/config_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool config_reader_strict(const struct config_reader *r)
{
	return r->config->dialect == CONFIG_NATIVE;
}

bool config_reader_absent(const struct config_reader *r, const struct config_value *value)
{
	return value->kind == VALUE_NULL || (!config_reader_strict(r) && value->kind == VALUE_TEXT && value->text[0] == '\0');
}

static void report(struct config_reader *r, bool warning, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

static void report(struct config_reader *r, bool warning, const char *format, va_list args)
{
	char text[CONFIG_PROBLEM_SIZE];
	vsnprintf(text, sizeof text, format, args);
	if (warning)
		config_warning(r->problems, r->path, "%s", text);
	else
		config_error(r->problems, r->path, "%s", text);
}

void config_reader_error(struct config_reader *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	report(r, false, format, args);
	va_end(args);
}

void config_reader_warning(struct config_reader *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	report(r, true, format, args);
	va_end(args);
}

size_t config_reader_down(struct config_reader *r, const char *name)
{
	size_t mark = strlen(r->path);
	snprintf(r->path + mark, sizeof r->path - mark, "%s%s", mark ? "." : "", name);
	return mark;
}

size_t config_reader_down_index(struct config_reader *r, size_t index)
{
	size_t mark = strlen(r->path);
	snprintf(r->path + mark, sizeof r->path - mark, "[%zu]", index);
	return mark;
}

void config_reader_up(struct config_reader *r, size_t mark)
{
	assert(mark <= strlen(r->path));
	r->path[mark] = '\0';
}

static void *at(void *target, const struct config_field *field)
{
	return (char *)target + field->offset;
}

const char *config_reader_text(struct config_reader *r, const struct config_value *value)
{
	/* YAML's 1234 without quotes is a string where a string is wanted. */
	if (value->kind == VALUE_TEXT || (value->plain && value->kind != VALUE_NULL))
		return value->text;
	config_reader_error(r, "%s is not a string: put it in quotes", config_value_kind_name(value->kind));
	return NULL;
}

/* "3478" for 3478: in stunnerd's dialects, whose numbers often come through environment variables. */
static bool number_from_text(const char *text, int64_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return false;
	*ret_number = strtoll(text, NULL, 10);
	return true;
}

bool config_reader_number(
	struct config_reader *r, const struct config_value *value, uint32_t min, uint32_t max, uint32_t *ret_number)
{
	int64_t number = value->integer;
	if (value->kind == VALUE_TEXT && config_reader_strict(r)) {
		config_reader_error(r, "\"%s\" is a string: write a number from %" PRIu32 " to %" PRIu32 " without quotes",
			value->text, min, max);
		return false;
	}
	if (value->kind == VALUE_TEXT && !number_from_text(value->text, &number)) {
		config_reader_error(r, "\"%s\" is not a number: use %" PRIu32 " to %" PRIu32, value->text, min, max);
		return false;
	}
	if (value->kind != VALUE_TEXT && value->kind != VALUE_INTEGER) {
		config_reader_error(
			r, "%s is not a whole number: use %" PRIu32 " to %" PRIu32, config_value_kind_name(value->kind), min, max);
		return false;
	}
	if (number < (int64_t)min || number > (int64_t)max) {
		config_reader_error(r, "%" PRId64 " is out of range: use %" PRIu32 " to %" PRIu32, number, min, max);
		return false;
	}
	*ret_number = (uint32_t)number;
	return true;
}

void config_read_u32(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	uint32_t number;
	if (config_reader_number(r, value, field->min, field->max, &number))
		memcpy(at(target, field), &number, sizeof number);
}

void config_read_u16(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	assert(field->max <= UINT16_MAX);
	uint32_t number;
	if (!config_reader_number(r, value, field->min, field->max, &number))
		return;
	uint16_t narrow = (uint16_t)number;
	memcpy(at(target, field), &narrow, sizeof narrow);
}

void config_read_u8(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	assert(field->max <= UINT8_MAX);
	uint32_t number;
	if (!config_reader_number(r, value, field->min, field->max, &number))
		return;
	uint8_t narrow = (uint8_t)number;
	memcpy(at(target, field), &narrow, sizeof narrow);
}

void config_read_bool(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	bool boolean = value->boolean;
	if (value->kind == VALUE_TEXT && !config_reader_strict(r) && strcasecmp(value->text, "true") == 0)
		boolean = true;
	else if (value->kind == VALUE_TEXT && !config_reader_strict(r) && strcasecmp(value->text, "false") == 0)
		boolean = false;
	else if (value->kind != VALUE_BOOL) {
		config_reader_error(
			r, "%s is neither true nor false: use one of them, without quotes", config_value_kind_name(value->kind));
		return;
	}
	memcpy(at(target, field), &boolean, sizeof boolean);
}

void config_read_text(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	if (strlen(text) >= field->size) {
		config_reader_error(r, "%zu bytes are too many: use at most %zu", strlen(text), field->size - 1);
		return;
	}
	/* Zero-padded: reload_diff compares fields as memory. */
	config_set_text(at(target, field), field->size, text);
}

static void choice_names(const struct config_choice *choices, char *ret_text, size_t size)
{
	size_t used = 0;
	ret_text[0] = '\0';
	for (const struct config_choice *c = choices; c->name; c++) {
		if (c->hidden || used >= size)
			continue;
		int added = snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "", c->name);
		used += added > 0 ? (size_t)added : 0;
	}
}

void config_read_choice(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	for (const struct config_choice *c = field->choices; c->name; c++)
		if (strcasecmp(text, c->name) == 0) {
			memcpy(at(target, field), &c->value, sizeof c->value);
			return;
		}
	char names[200];
	choice_names(field->choices, names, sizeof names);
	config_reader_error(r, "\"%s\" is not known: use one of %s", text, names);
}

void config_read_ignored(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)r;
	(void)value;
	(void)field;
	(void)target;
}

void config_read_object(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	config_read_fields(r, value, field->fields, at(target, field));
}

/* How many insertions, deletions and replacements apart (Levenshtein); for names. */
static size_t distance(const char *a, const char *b)
{
	enum { NAME_MAX_COMPARED = 40 };
	size_t row[NAME_MAX_COMPARED + 1], a_size = strlen(a), b_size = strlen(b);
	if (a_size > NAME_MAX_COMPARED || b_size > NAME_MAX_COMPARED)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_size];
}

static void unknown_field(struct config_reader *r, const char *name, const struct config_field *fields)
{
	if (!config_reader_strict(r)) {
		config_reader_warning(r, "unknown field, ignored");
		return;
	}
	const char *nearest = NULL;
	size_t nearest_distance = 3; /* further away it is another word, not a slip */
	for (const struct config_field *f = fields; f->name; f++)
		if ((f->dialects & IN_NATIVE) && distance(name, f->name) < nearest_distance) {
			nearest = f->name;
			nearest_distance = distance(name, f->name);
		}
	if (nearest)
		config_reader_error(r, "unknown field: did you mean \"%s\"?", nearest);
	else
		config_reader_error(r, "unknown field: remove it, or see docs/CONFIGURATION.md for the ones there are");
}

static bool field_applies(const struct config_reader *r, const struct config_field *field)
{
	return (field->dialects & (1u << r->config->dialect)) != 0;
}

void config_read_fields(struct config_reader *r, const struct config_value *value, const struct config_field *fields, void *target)
{
	if (value->kind != VALUE_OBJECT) {
		config_reader_error(r, "%s is not an object: use { … }", config_value_kind_name(value->kind));
		return;
	}
	/* Go's decoder, and so stunnerd's, does not mind the case of a name. */
	bool any_case = !config_reader_strict(r);
	for (const struct config_field *f = fields; f->name; f++) {
		const struct config_value *member = config_value_member(value, f->name, any_case);
		if (member == NULL || !field_applies(r, f))
			continue;
		size_t mark = config_reader_down(r, member->name);
		if (!config_reader_absent(r, member) || (f->reads_empty && member->kind != VALUE_NULL))
			f->read(r, member, f, target);
		config_reader_up(r, mark);
	}
	for (size_t i = 0; i < value->count; i++) {
		const char *name = value->items[i].name;
		bool known = false;
		for (const struct config_field *f = fields; f->name && !known; f++)
			known = field_applies(r, f) && (any_case ? strcasecmp(name, f->name) : strcmp(name, f->name)) == 0;
		if (known)
			continue;
		size_t mark = config_reader_down(r, name);
		unknown_field(r, name, fields);
		config_reader_up(r, mark);
	}
}
