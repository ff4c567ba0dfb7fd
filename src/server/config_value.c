#include "server/config_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

void config_value_clear(struct config_value *value)
{
	if (value->text)
		bytes_wipe(value->text, strlen(value->text));
	free(value->text);
	free(value->name);
	for (size_t i = 0; i < value->count; i++)
		config_value_clear(&value->items[i]);
	free(value->items);
}

void config_value_free(struct config_value *root)
{
	if (root == NULL)
		return;
	config_value_clear(root);
	free(root);
}

static bool is_one_of(const char *text, const char *const names[])
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(text, names[i]) == 0)
			return true;
	return false;
}

/* All of `text`, at least one of them, are among `digits`. */
static bool consists_of(const char *text, const char *digits)
{
	return text[0] != '\0' && text[strspn(text, digits)] == '\0';
}

static bool resolve_integer(const char *text, int64_t *ret_integer)
{
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	int base = 10;
	if (strncmp(text, "0x", 2) == 0 && consists_of(text + 2, "0123456789abcdefABCDEF"))
		base = 16;
	else if (strncmp(text, "0o", 2) == 0 && consists_of(text + 2, "01234567"))
		base = 8;
	else if (!consists_of(digits, "0123456789"))
		return false;
	errno = 0;
	long long integer = strtoll(base == 10 ? text : text + 2, NULL, base);
	if (errno != 0)
		return false;
	*ret_integer = integer;
	return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool looks_like_real(const char *text)
{
	static const char digits[] = "0123456789";
	text += text[0] == '-' || text[0] == '+';
	size_t whole = strspn(text, digits), fraction = 0;
	text += whole;
	if (text[0] == '.') {
		fraction = strspn(text + 1, digits);
		text += 1 + fraction;
	}
	if (whole == 0 && fraction == 0)
		return false;
	if (text[0] == '\0')
		return true;
	if (text[0] != 'e' && text[0] != 'E')
		return false;
	text += 1 + (text[1] == '-' || text[1] == '+');
	return consists_of(text, digits);
}

void config_value_resolve(struct config_value *plain)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	if (is_one_of(plain->text, nulls)) {
		plain->kind = VALUE_NULL;
	} else if (is_one_of(plain->text, trues) || is_one_of(plain->text, falses)) {
		plain->kind = VALUE_BOOL;
		plain->boolean = is_one_of(plain->text, trues);
	} else if (resolve_integer(plain->text, &plain->integer)) {
		plain->kind = VALUE_INTEGER;
	} else if (looks_like_real(plain->text)) {
		plain->kind = VALUE_REAL;
		plain->real = strtod(plain->text, NULL);
	} else {
		plain->kind = VALUE_TEXT;
	}
}

const struct config_value *config_value_member(const struct config_value *object, const char *name, bool any_case)
{
	if (object->kind != VALUE_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->items[i].name, name) == 0)
			return &object->items[i];
	for (size_t i = 0; any_case && i < object->count; i++)
		if (strcasecmp(object->items[i].name, name) == 0)
			return &object->items[i];
	return NULL;
}

const char *config_value_kind_name(enum config_value_kind kind)
{
	static const char *const names[] = {
		[VALUE_NULL] = "null",
		[VALUE_BOOL] = "true or false",
		[VALUE_INTEGER] = "a number",
		[VALUE_REAL] = "a fraction",
		[VALUE_TEXT] = "a string",
		[VALUE_LIST] = "a list",
		[VALUE_OBJECT] = "an object",
	};
	return names[kind];
}
