/*
 * config_problems - what is wrong with a configuration, one line each: file, path in the document, what is wrong, what would be
 * right.
 *
 * Bounds: CONFIG_PROBLEMS_MAX lines are kept; further ones are counted only. Errors refuse the configuration, warnings do not.
 */
#ifndef UTURN_SERVER_CONFIG_PROBLEMS_H
#define UTURN_SERVER_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_PROBLEMS_MAX = 32, CONFIG_PROBLEM_SIZE = 512 };

struct config_problem {
	bool warning;
	char text[CONFIG_PROBLEM_SIZE]; /* "uturn.json: listeners[0].port: 70000 is out of range: use 1 to 65535" */
};

/* Zero-initialise it. */
struct config_problems {
	const char *source; /* the file's name, in front of every line; borrowed while loading only */
	size_t errors, warnings;
	size_t kept; /* of list, in the order found */
	struct config_problem list[CONFIG_PROBLEMS_MAX];
};

/* `path` may be "": nothing but the file to name. */
void config_error(struct config_problems *problems, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warning(struct config_problems *problems, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
