/*
 * config_read - reads a document by tables: which fields an object may have, of what type and range, and where each value goes.
 * Knows types, not meanings; every mistake names its path in the document.
 */
#ifndef UTURN_SERVER_CONFIG_READ_H
#define UTURN_SERVER_CONFIG_READ_H

#include <limits.h>

#include "server/config.h"
#include "server/config_value.h"

enum { READER_PATH_SIZE = 200 };

struct config_reader {
	struct config *config; /* being filled */
	const struct config_world *world;
	struct config_problems *problems;
	char path[READER_PATH_SIZE]; /* where we are: "listeners[0].port" */
	char folder[PATH_MAX];       /* where relative file names start; "": the working directory */
	bool routes_to_all;          /* a document of the early form names no clusters: its listeners reach an embedded one */
};

struct config_choice {
	const char *name; /* any case */
	int value;
	bool hidden; /* an alias that messages leave out */
};

struct config_field;
typedef void config_read_function(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target);

/* The dialects that a field belongs to. */
enum {
	IN_NATIVE = 1 << CONFIG_NATIVE,
	IN_V1 = 1 << CONFIG_V1,
	IN_V1ALPHA1 = 1 << CONFIG_V1ALPHA1,
	IN_ALL = IN_NATIVE | IN_V1 | IN_V1ALPHA1
};

/* A table ends with a row without a name. Fields are read in the order of the table, not of the document. */
struct config_field {
	const char *name;
	config_read_function *read;
	unsigned dialects;
	size_t offset; /* of the value in the target */
	size_t size;   /* read_text: of the array */
	uint32_t min, max;
	bool reads_empty; /* "" has a meaning of its own, also in the dialects where it otherwise means nothing is given */
	const struct config_choice *choices; /* read_choice: ends with a row without a name */
	const struct config_field *fields;   /* read_object */
};

/* Is a value here as good as none? null, and in stunnerd's dialects "". */
bool config_reader_absent(const struct config_reader *r, const struct config_value *value);
bool config_reader_strict(const struct config_reader *r);

void config_reader_error(struct config_reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void config_reader_warning(struct config_reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Go one step down the path; the result goes back to config_reader_up. */
size_t config_reader_down(struct config_reader *r, const char *name);
size_t config_reader_down_index(struct config_reader *r, size_t index);
void config_reader_up(struct config_reader *r, size_t mark);

/* The value's text, if it is a string; NULL and a problem otherwise. */
const char *config_reader_text(struct config_reader *r, const struct config_value *value);

/* False, and a problem, when it is no whole number in the range. */
bool config_reader_number(
	struct config_reader *r, const struct config_value *value, uint32_t min, uint32_t max, uint32_t *ret_number);

void config_read_fields(struct config_reader *r, const struct config_value *value, const struct config_field *fields, void *target);

/* For `read` in the tables. */
config_read_function config_read_object;
config_read_function config_read_u32, config_read_u16, config_read_u8;
config_read_function config_read_bool;
config_read_function config_read_text;
config_read_function config_read_choice; /* an int-sized enum */
config_read_function config_read_ignored;

#endif
