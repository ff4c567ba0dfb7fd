/*
 * config_yaml - a YAML document as a tree of plain values. The only part of the configuration that knows libyaml.
 *
 * YAML 1.2's core schema: `yes` and `on` are strings, `null` and `true` are not.
 *
 * Bounds: CONFIG_YAML_DEPTH_MAX levels, CONFIG_VALUES_MAX values in all, CONFIG_YAML_MEMBERS_MAX members of an object. Anchors
 * and aliases are refused, so that a document is never larger than its text; so are tags, duplicate names, NUL characters, and a
 * second document.
 */
#ifndef UTURN_SERVER_CONFIG_YAML_H
#define UTURN_SERVER_CONFIG_YAML_H

#include "server/config_value.h"

enum { CONFIG_YAML_DEPTH_MAX = 32, CONFIG_YAML_MEMBERS_MAX = 256 };

/* NULL: *ret_error says what is wrong and where. Freed by config_value_free. */
struct config_value *config_yaml_parse(const char *text, size_t size, struct config_syntax_error *ret_error);

#endif
