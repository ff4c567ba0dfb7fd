#include <criterion/criterion.h>
#include <stdlib.h>

#include "config_rig.h"
#include "server/config_env.h"

static const struct rig_variable environment[] = {
	{"A", "1"}, {"LONG_name_2", "two"}, {"QUOTE", "a\"b"}, {"DOLLAR", "$A"}, {"EMPTY", ""}, {NULL, NULL}};

static struct config_rig rig;

static void set_up(void)
{
	config_rig_init(&rig, environment);
}

TestSuite(config_env, .init = set_up);

Test(config_env, expands_names_and_nothing_else)
{
	static const struct {
		const char *text, *expanded;
	} cases[] = {
		{"", ""},
		{"plain", "plain"},
		{"$A", "1"},
		{"${A}", "1"},
		{"x$A/y", "x1/y"},
		{"$LONG_name_2!", "two!"},
		{"$A$A", "11"},
		{"${A}A", "1A"},
		{"$AA", ""},
		{"$EMPTY", ""},
		{"$DOLLAR", "$A"}, /* once only */
		{"$", "$"},
		{"$$A", "$1"},
		{"$1", "$1"},
		{"${", "${"},
		{"${}", "${}"},
		{"${A", "${A"},
		{"${A-b}", "${A-b}"},
		{"a$ b", "a$ b"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *expanded = config_env_expand(&rig.world, cases[i].text);
		cr_assert_str_eq(expanded, cases[i].expanded, "%s", cases[i].text);
		free(expanded);
	}
}

Test(config_env, expands_json_outside_of_strings_only)
{
	static const struct {
		const char *text, *expanded;
	} cases[] = {
		{"{\"a$A\":$A}", "{\"a$A\":1}"},
		{"[$EMPTY,${UNSET}]", "[null,null]"},
		{"[\"\\\"$A\",$A]", "[\"\\\"$A\",1]"},
		{"[\"\\\\\",$A]", "[\"\\\\\",1]"},
		{"\"$A", "\"$A"},
		{"\"\\", "\"\\"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = 0;
		char *expanded = config_env_expand_json(&rig.world, cases[i].text, strlen(cases[i].text), &size);
		cr_assert_eq(size, strlen(cases[i].expanded), "%s", cases[i].text);
		cr_assert_arr_eq(expanded, cases[i].expanded, size, "%s", cases[i].text);
		free(expanded);
	}
}

Test(config_env, takes_the_public_port_where_stunner_port_is_not_set)
{
	static const struct rig_variable public_port[] = {{"STUNNER_PUBLIC_PORT", "5349"}, {NULL, NULL}};
	static const struct rig_variable no_number[] = {{"STUNNER_PUBLIC_PORT", "$X"}, {NULL, NULL}};
	static const struct rig_variable both[] = {{"STUNNER_PUBLIC_PORT", "5349"}, {"STUNNER_PORT", "99"}, {NULL, NULL}};
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PORT"), "3478");
	rig.environment = public_port;
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PORT"), "5349");
	rig.environment = no_number;
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PORT"), "3478");
	rig.environment = both;
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PORT"), "99");
	cr_assert_null(config_env_get(&rig.world, "STUNNER_ADDR"));
}

Test(config_env, what_has_two_names_is_one_variable)
{
	static const struct rig_variable one[] = {{"STUNNER_PUBLIC_IP", "192.0.2.1"}, {"STUNNER_SECRET", "s"}, {NULL, NULL}};
	static const struct rig_variable other[] = {
		{"STUNNER_PUBLIC_ADDR", "192.0.2.2"}, {"STUNNER_SHARED_SECRET", "t"}, {"STUNNER_SECRET", ""}, {NULL, NULL}};
	rig.environment = one;
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PUBLIC_ADDR"), "192.0.2.1");
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_SHARED_SECRET"), "s");
	rig.environment = other;
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_PUBLIC_IP"), "192.0.2.2");
	cr_assert_str_eq(config_env_get(&rig.world, "STUNNER_SECRET"), "t");
	cr_assert_null(config_env_get(&rig.world, "STUNNER_REALM"));
}

Test(config_env, switches)
{
	static const struct rig_variable variables[] = {
		{"ON", "1"}, {"YES", "yes"}, {"OFF", ""}, {"ZERO", "0"}, {"NO", "False"}, {NULL, NULL}};
	rig.environment = variables;
	cr_assert(config_env_switch(&rig.world, "ON", false));
	cr_assert(config_env_switch(&rig.world, "YES", false));
	cr_assert_not(config_env_switch(&rig.world, "OFF", true));
	cr_assert_not(config_env_switch(&rig.world, "ZERO", true));
	cr_assert_not(config_env_switch(&rig.world, "NO", true));
	cr_assert(config_env_switch(&rig.world, "UNSET", true));
	cr_assert_not(config_env_switch(&rig.world, "UNSET", false));
}
