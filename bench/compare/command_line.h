/*
 * command_line - a command line as words: split as a shell would without its expansions, and with names in braces replaced.
 *
 * Words are separated by white space. '…' keeps everything as it is, "…" everything but \" and \\, outside of both \ keeps the
 * next character. Nothing else is special: no variable, no pattern, no redirection. Names are replaced after splitting, so a
 * value with white space stays one word.
 *
 * Owns:   its words.
 * Bounds: COMMAND_LINE_WORDS_MAX words.
 */
#ifndef UTURN_BENCH_COMPARE_COMMAND_LINE_H
#define UTURN_BENCH_COMPARE_COMMAND_LINE_H

#include <stddef.h>

#include "base/failure.h"

enum { COMMAND_LINE_WORDS_MAX = 255 };

struct command_line {
	char *words[COMMAND_LINE_WORDS_MAX + 1]; /* ends with NULL: fit for exec */
	size_t count;
};

struct command_name {
	const char *name, *value; /* "port": every {port} becomes the value */
};

/* False: a quote that is not closed, no word at all, too many. *ret_line is written on success only. */
bool command_line_split(const char *text, struct command_line *ret_line, struct failure *failure);

/* Replaces {name} in every word; `names` ends with a NULL name. False: a {name} of letters and '_' that is none of these. */
bool command_line_replace(struct command_line *line, const struct command_name *names, struct failure *failure);

void command_line_done(struct command_line *line);

#endif
