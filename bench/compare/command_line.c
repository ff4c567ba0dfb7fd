#include "compare/command_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool space(char c)
{
	return isspace((unsigned char)c) != 0;
}

/* Copies the word at *at without its quotes to `out`, and moves *at behind it. False: a quote is open at the end. */
static bool take_word(const char **at, char *out)
{
	char quote = 0;
	const char *p = *at;
	for (; *p != '\0' && (quote != 0 || !space(*p)); p++) {
		bool escapes = *p == '\\' && p[1] != '\0' && (quote == 0 || (quote == '"' && (p[1] == '"' || p[1] == '\\')));
		if (escapes)
			*out++ = *++p;
		else if (quote != 0 && *p == quote)
			quote = 0;
		else if (quote == 0 && (*p == '\'' || *p == '"'))
			quote = *p;
		else
			*out++ = *p;
	}
	*out = '\0';
	*at = p;
	return quote == 0;
}

static bool split(const char *text, struct command_line *line, struct failure *failure)
{
	for (const char *at = text;;) {
		while (space(*at))
			at++;
		if (*at == '\0')
			break;
		if (line->count == COMMAND_LINE_WORDS_MAX)
			return fail(failure, "the command has more than %d words", COMMAND_LINE_WORDS_MAX);
		char *word = malloc(strlen(at) + 1);
		if (word == NULL)
			return fail(failure, "no memory for the command");
		line->words[line->count++] = word;
		if (!take_word(&at, word))
			return fail(failure, "the command has a quote that is not closed: %.200s", text);
	}
	if (line->count == 0)
		return fail(failure, "the command is empty");
	return true;
}

bool command_line_split(const char *text, struct command_line *ret_line, struct failure *failure)
{
	struct command_line line = {0};
	if (!split(text, &line, failure)) {
		command_line_done(&line);
		return false;
	}
	*ret_line = line;
	return true;
}

/* The length of "{name}" at `text`; 0 when there is none. */
static size_t braced_length(const char *text)
{
	if (*text != '{')
		return 0;
	size_t i = 1;
	while (islower((unsigned char)text[i]) || text[i] == '_')
		i++;
	return i > 1 && text[i] == '}' ? i + 1 : 0;
}

static const char *value_of(const struct command_name *names, const char *braced, size_t length)
{
	for (; names->name != NULL; names++)
		if (strlen(names->name) == length - 2 && memcmp(names->name, braced + 1, length - 2) == 0)
			return names->value;
	return NULL;
}

static char *replaced(const char *word, const struct command_name *names, struct failure *failure)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL) {
		fail(failure, "no memory for the command");
		return NULL;
	}
	bool good = true;
	while (*word != '\0' && good) {
		size_t length = braced_length(word);
		const char *value = length > 0 ? value_of(names, word, length) : NULL;
		if (length > 0 && value == NULL)
			good = fail(failure, "the command names %.*s, which is not known", (int)length, word);
		else if (length > 0)
			fputs(value, out);
		else
			fputc(*word, out);
		word += length > 0 ? length : 1;
	}
	bool written = fclose(out) == 0;
	if (!good || !written) {
		if (good)
			fail(failure, "no memory for the command");
		free(text);
		return NULL;
	}
	return text;
}

bool command_line_replace(struct command_line *line, const struct command_name *names, struct failure *failure)
{
	for (size_t i = 0; i < line->count; i++) {
		char *word = replaced(line->words[i], names, failure);
		if (word == NULL)
			return false;
		free(line->words[i]);
		line->words[i] = word;
	}
	return true;
}

void command_line_done(struct command_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		free(line->words[i]);
	*line = (struct command_line){0};
}
