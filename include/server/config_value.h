/*
 * config_value - a document as a tree of plain values, whatever it was written in: what the schema reads.
 *
 * Owns: the whole tree, on the heap, until config_value_free. Texts are wiped then: credentials are among them.
 */
#ifndef UTURN_SERVER_CONFIG_VALUE_H
#define UTURN_SERVER_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONFIG_VALUES_MAX = 1 << 20 }; /* in a document */

enum config_value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_LIST, VALUE_OBJECT };

struct config_value {
	enum config_value_kind kind;
	char *name; /* in an object; NULL elsewhere */
	bool boolean;
	int64_t integer;
	double real;
	char *text;                 /* of a string; of every plain scalar, as it was written */
	bool plain;                 /* YAML without quotes: what it looks like is what it is */
	struct config_value *items; /* of a list or an object */
	size_t count;
};

/* What is wrong with a text, and where. */
struct config_syntax_error {
	int line, column; /* from 1; 0 when the fault is not in the text (no memory) */
	char text[160];
};

void config_value_clear(struct config_value *value); /* what it holds; half built is fine */
void config_value_free(struct config_value *root);   /* NULL is fine */

/* Gives a plain scalar the kind that its text looks like (YAML 1.2.2 Section 10.3.2, the core schema). What does not fit into 64
 * bits stays a string. */
void config_value_resolve(struct config_value *plain);

/* The member of this name: exactly so, or else (any_case) in another spelling of it. NULL: none, or not an object. */
const struct config_value *config_value_member(const struct config_value *object, const char *name, bool any_case);

/* "a string", "a list", … for messages. */
const char *config_value_kind_name(enum config_value_kind kind);

#endif
