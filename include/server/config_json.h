/*
 * config_json - a JSON document as a tree of plain values. The only part of the configuration that knows jansson.
 *
 * Bounds: duplicate names, NUL characters, numbers past 64 bits and more than CONFIG_VALUES_MAX values are syntax errors.
 */
#ifndef UTURN_SERVER_CONFIG_JSON_H
#define UTURN_SERVER_CONFIG_JSON_H

#include "server/config_value.h"

/* NULL: *ret_error says what is wrong and where. Freed by config_value_free. */
struct config_value *config_json_parse(const char *text, size_t size, struct config_syntax_error *ret_error);

#endif
