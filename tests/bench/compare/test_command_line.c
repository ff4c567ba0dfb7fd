#include "compare/command_line.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect_words(const char *text, const char *const *words)
{
	struct command_line line;
	struct failure failure;
	cr_assert(command_line_split(text, &line, &failure), "%s: %s", text, failure.text);
	size_t count = 0;
	for (; words[count] != NULL; count++)
		cr_expect_str_eq(count < line.count ? line.words[count] : "(none)", words[count], "word %zu of %s", count, text);
	cr_expect_eq(line.count, count, "%s", text);
	cr_expect_null(line.words[line.count]);
	command_line_done(&line);
}

#define EXPECT_WORDS(text, ...) expect_words(text, (const char *const[]){__VA_ARGS__, NULL})

Test(command_line, words_are_separated_by_white_space)
{
	EXPECT_WORDS("server", "server");
	EXPECT_WORDS("  ./server\t-p  3478\n", "./server", "-p", "3478");
}

Test(command_line, quotes_keep_words_together)
{
	EXPECT_WORDS("a 'b c' \"d e\"", "a", "b c", "d e");
	EXPECT_WORDS("--name='two words'x", "--name=two wordsx");
	EXPECT_WORDS("a '' \"\"", "a", "", "");
	EXPECT_WORDS("'it\"s' \"it's\"", "it\"s", "it's");
}

Test(command_line, backslashes_escape_as_in_a_shell)
{
	EXPECT_WORDS("a\\ b \\'c\\'", "a b", "'c'");
	EXPECT_WORDS("\"a\\\"b\\\\c\\n\"", "a\"b\\c\\n");
	EXPECT_WORDS("'a\\b'", "a\\b");
	EXPECT_WORDS("a\\", "a\\");
}

/* It never comes to a shell. */
Test(command_line, nothing_else_is_special)
{
	EXPECT_WORDS("x $HOME `id` $(id) *.c ; > f & |", "x", "$HOME", "`id`", "$(id)", "*.c", ";", ">", "f", "&", "|");
}

static void expect_refused(const char *text, const char *why)
{
	struct command_line line = {.count = 77};
	struct failure failure;
	cr_expect_not(command_line_split(text, &line, &failure), "%s", text);
	cr_expect_not_null(strstr(failure.text, why), "%s: %s", text, failure.text);
	cr_expect_eq(line.count, 77, "nothing is written on failure");
}

Test(command_line, what_cannot_be_run_is_refused)
{
	expect_refused("", "empty");
	expect_refused(" \t", "empty");
	expect_refused("a 'b", "not closed");
	expect_refused("a \"b\\\"", "not closed");
	char many[2 * (COMMAND_LINE_WORDS_MAX + 1) + 1];
	for (size_t i = 0; i < sizeof many - 1; i++)
		many[i] = i % 2 == 0 ? 'a' : ' ';
	many[sizeof many - 1] = '\0';
	expect_refused(many, "more than");
	many[sizeof many - 3] = '\0';
	struct command_line line;
	struct failure failure;
	cr_expect(command_line_split(many, &line, &failure));
	command_line_done(&line);
}

static const struct command_name names[] = {{"port", "3478"}, {"user", "a b"}, {"empty", ""}, {NULL, NULL}};

static bool replace(const char *text, struct command_line *line, struct failure *failure)
{
	cr_assert(command_line_split(text, line, failure));
	return command_line_replace(line, names, failure);
}

Test(command_line, names_are_replaced_and_stay_one_word)
{
	struct command_line line;
	struct failure failure;
	cr_assert(replace("s -p{port} {user} {port}:{port} x{empty}y", &line, &failure), "%s", failure.text);
	cr_expect_eq(line.count, 5);
	cr_expect_str_eq(line.words[1], "-p3478");
	cr_expect_str_eq(line.words[2], "a b");
	cr_expect_str_eq(line.words[3], "3478:3478");
	cr_expect_str_eq(line.words[4], "xy");
	command_line_done(&line);
}

Test(command_line, braces_that_hold_no_name_stay)
{
	struct command_line line;
	struct failure failure;
	cr_assert(replace("s {} {1} {Port} { {port { {a-b}", &line, &failure), "%s", failure.text);
	cr_expect_str_eq(line.words[1], "{}");
	cr_expect_str_eq(line.words[2], "{1}");
	cr_expect_str_eq(line.words[3], "{Port}");
	cr_expect_str_eq(line.words[5], "{port");
	cr_expect_str_eq(line.words[7], "{a-b}");
	command_line_done(&line);
}

Test(command_line, a_name_that_is_not_known_is_refused)
{
	struct command_line line;
	struct failure failure;
	cr_expect_not(replace("s {port} {prot}", &line, &failure));
	cr_expect_not_null(strstr(failure.text, "{prot}"), "%s", failure.text);
	command_line_done(&line);
}
