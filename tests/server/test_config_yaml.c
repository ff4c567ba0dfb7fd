#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_rig.h"
#include "server/config_yaml.h"

static struct config_syntax_error error;

static struct config_value *parse(const char *text)
{
	/* An exact-size copy without its NUL: a read past the end is seen. */
	size_t size = strlen(text);
	char *copy = malloc(size ? size : 1);
	memcpy(copy, text, size);
	struct config_value *root = config_yaml_parse(copy, size, &error);
	free(copy);
	return root;
}

static struct config_value *parse_good(const char *text)
{
	struct config_value *root = parse(text);
	cr_assert_not_null(root, "%d:%d: %s\n%s", error.line, error.column, error.text, text);
	return root;
}

Test(config_yaml, scalars_are_what_the_core_schema_says)
{
	static const struct {
		const char *text;
		enum config_value_kind kind;
		int64_t integer;
	} cases[] = {
		{"", VALUE_NULL, 0},
		{"~", VALUE_NULL, 0},
		{"null", VALUE_NULL, 0},
		{"'null'", VALUE_TEXT, 0},
		{"\"\"", VALUE_TEXT, 0},
		{"true", VALUE_BOOL, 1},
		{"FALSE", VALUE_BOOL, 0},
		{"yes", VALUE_TEXT, 0},
		{"off", VALUE_TEXT, 0},
		{"3478", VALUE_INTEGER, 3478},
		{"\"3478\"", VALUE_TEXT, 0},
		{"-7", VALUE_INTEGER, -7},
		{"+7", VALUE_INTEGER, 7},
		{"010", VALUE_INTEGER, 10},
		{"0x1f", VALUE_INTEGER, 31},
		{"0o17", VALUE_INTEGER, 15},
		{"0x", VALUE_TEXT, 0},
		{"0o8", VALUE_TEXT, 0},
		{"-", VALUE_LIST, 0},
		{"1_000", VALUE_TEXT, 0},
		{"99999999999999999999", VALUE_REAL, 0},
		{"0xffffffffffffffffff", VALUE_TEXT, 0},
		{"1.5", VALUE_REAL, 0},
		{".5", VALUE_REAL, 0},
		{"1.", VALUE_REAL, 0},
		{"1e3", VALUE_REAL, 0},
		{"1e", VALUE_TEXT, 0},
		{".", VALUE_TEXT, 0},
		{"10.0.0.1", VALUE_TEXT, 0},
		{"10:20", VALUE_TEXT, 0},
		{"$PORT", VALUE_TEXT, 0},
		{"2001:db8::1", VALUE_TEXT, 0},
		{"|\n  a\n  b\n", VALUE_TEXT, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[100];
		snprintf(text, sizeof text, "a: %s", cases[i].text);
		if (cases[i].kind == VALUE_LIST)
			snprintf(text, sizeof text, "a:\n%s", cases[i].text);
		struct config_value *root = parse_good(text);
		const struct config_value *value = config_value_member(root, "a", false);
		cr_assert_eq(value->kind, cases[i].kind, "%s: %s", cases[i].text, config_value_kind_name(value->kind));
		if (cases[i].kind == VALUE_INTEGER)
			cr_assert_eq(value->integer, cases[i].integer, "%s", cases[i].text);
		if (cases[i].kind == VALUE_BOOL)
			cr_assert_eq(value->boolean, cases[i].integer == 1, "%s", cases[i].text);
		config_value_free(root);
	}
}

Test(config_yaml, lists_and_objects_in_both_styles_are_the_same)
{
	static const char *const texts[] = {
		"a: [1, {b: c}, []]\nd:\n",
		"a:\n- 1\n- b: c\n- []\n'd': ~\n",
		"%YAML 1.2\n---\n# a comment\n{\"a\": [1, {\"b\": \"c\"}, [],], d}\n...\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct config_value *root = parse_good(texts[i]);
		cr_assert_eq(root->kind, VALUE_OBJECT);
		cr_assert_eq(root->count, 2);
		const struct config_value *a = config_value_member(root, "a", false), *d = config_value_member(root, "d", false);
		cr_assert_eq(a->kind, VALUE_LIST);
		cr_assert_eq(a->count, 3);
		cr_assert_eq(a->items[0].integer, 1);
		cr_assert_str_eq(config_value_member(&a->items[1], "b", false)->text, "c");
		cr_assert_eq(a->items[2].kind, VALUE_LIST);
		cr_assert_eq(a->items[2].count, 0);
		cr_assert_eq(d->kind, VALUE_NULL);
		config_value_free(root);
	}
}

Test(config_yaml, refuses_with_a_line_and_a_column)
{
	static const struct {
		const char *text;
		int line, column;
		const char *says;
	} cases[] = {
		{"a: &x 1", 1, 4, "anchors"},
		{"a: &x [1]\nb: *x", 1, 4, "anchors"},
		{"a: *x", 1, 4, "aliases"},
		{"&x a: 1", 1, 1, "anchors"},
		{"a: !!str 1", 1, 4, "tags"},
		{"a: ! 1", 1, 4, "tags"},
		{"a: !<x> {}", 1, 4, "tags"},
		{"a: 1\nb: 2\na: 3", 3, 1, "twice"},
		{"? [a]\n: 1", 1, 3, "the name of a field"},
		{"a: \"x\\0y\"", 1, 4, "NUL"},
		{"\"a\\0\": 1", 1, 1, "NUL"},
		{"a: 1\n---\nb: 2", 2, 1, "second document"},
		{"# nothing\n", 2, 1, "nothing"},
		{"a:\n\tb: 1", 2, 1, "cannot start any token"},
		{"a: [1", 2, 1, "while parsing a flow sequence"},
		{"a: \"x", 1, 6, "quoted scalar"},
		{"a: b: c", 1, 5, "mapping values"},
		{"a: {b: ${C}}", 1, 9, "did not find expected"},
		{"a: \x01", 1, 1, "control characters"},
		{"a: \xff", 1, 1, "UTF-8"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_assert_null(parse(cases[i].text), "%s", cases[i].text);
		cr_expect(error.line == cases[i].line && error.column == cases[i].column, "%s: %d:%d: %s", cases[i].text,
			error.line, error.column, error.text);
		cr_expect_not_null(strstr(error.text, cases[i].says), "%s: %s", cases[i].text, error.text);
	}
}

Test(config_yaml, depth_is_bounded)
{
	char text[2 * CONFIG_YAML_DEPTH_MAX + 3];
	for (int depth = CONFIG_YAML_DEPTH_MAX; depth <= CONFIG_YAML_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		struct config_value *root = parse(text);
		cr_assert_eq(root != NULL, depth == CONFIG_YAML_DEPTH_MAX);
		if (root == NULL)
			cr_assert_not_null(strstr(error.text, "too deep"), "%s", error.text);
		config_value_free(root);
	}
}

/* "[0,0,…]", or "{0: 0, …}" with other names each. */
static char *large(size_t count, bool object)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	fputs(object ? "{" : "[", out);
	for (size_t i = 0; i < count; i++) {
		if (object)
			fprintf(out, "a%zu: ", i);
		fputs("0,", out);
	}
	fputs(object ? "}" : "]", out);
	fclose(out);
	return text;
}

static bool large_is_good(size_t count, bool object)
{
	char *text = large(count, object);
	struct config_value *root = parse(text);
	config_value_free(root);
	free(text);
	return root != NULL;
}

Test(config_yaml, sizes_are_bounded)
{
	cr_assert(large_is_good(CONFIG_YAML_MEMBERS_MAX, true));
	cr_assert_not(large_is_good(CONFIG_YAML_MEMBERS_MAX + 1, true));
	cr_assert_not_null(strstr(error.text, "too many fields"), "%s", error.text);
	cr_assert(large_is_good(CONFIG_VALUES_MAX - 1, false));
	cr_assert_not(large_is_good(CONFIG_VALUES_MAX, false));
	cr_assert_not_null(strstr(error.text, "too many values"), "%s", error.text);
}

/* Nine levels of nine references each would be 387 million values. */
Test(config_yaml, a_billion_laughs_are_refused_at_the_first)
{
	static const char laughs[] =
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
		"d: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
	cr_assert_null(parse(laughs));
	cr_assert(error.line == 1 && error.column == 4, "%d:%d", error.line, error.column);
}

static const struct rig_variable environment[] = {
	{"PORT", "3479"}, {"EMPTY", ""}, {"NAME", "true"}, {"PASS", "unwanted"}, {NULL, NULL}};

#define AUTH "auth: {credentials: {username: 0123, password: $PASS}}\n"

Test(config_yaml, a_variable_without_quotes_is_what_its_value_looks_like)
{
	struct config_rig rig;
	config_rig_init(&rig, environment);
	struct config *c = config_rig_load(&rig,
		"version: uturn/v1\nadmin: {name: $NAME, shards: $EMPTY}\n" AUTH
		"clusters: [{name: c, endpoints: [10.0.0.0/8]}]\nlisteners: [{name: l, port: $PORT, routes: [c]}]\n",
		NULL);
	cr_assert_eq(c->listeners[0].port, 3479);
	cr_assert_str_eq(c->admin.name, "true");
	cr_assert_eq(c->admin.shards, 0);
	/* As it is written, and without variables. */
	cr_assert_str_eq(c->auth.username, "0123");
	cr_assert_str_eq(c->auth.password, "$PASS");
	config_free(c);
}

Test(config_yaml, mistakes_are_told_as_of_json)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{"version: v1\nadmin: [\n",
			"t.json:3:1: is not YAML: did not find expected node content while parsing a flow node"},
		{"version: uturn/v1\n" AUTH "listeners: [{name: l, port: \"3479\"}]",
			"t.json: listeners[0].port: \"3479\" is a string: write a number from 1 to 65535 without quotes"},
		{"version: uturn/v1\n" AUTH "listners: []", "t.json: listners: unknown field: did you mean \"listeners\"?"},
		{"hello", "t.json: a string is not a configuration: use an object, { … }"},
		{"- version: v1", "t.json: a list is not a configuration: use an object, { … }"},
		{"version: 1", "t.json: version: \"1\" is not known: use \"uturn/v1\", or \"v1\" or \"v1alpha1\", stunnerd's"},
	};
	struct config_rig rig;
	config_rig_init(&rig, environment);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_problems problems = {0};
		cr_assert_null(config_rig_load(&rig, cases[i].text, &problems), "%s", cases[i].text);
		cr_assert_str_eq(problems.list[0].text, cases[i].line);
	}
}
