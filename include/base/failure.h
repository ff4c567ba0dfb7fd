/*
 * failure - one line that says what went wrong, where, and what to do. What fails takes one as its last parameter, writes it once
 * and returns false; main prints it and ends with status 1.
 */
#ifndef UTURN_BASE_FAILURE_H
#define UTURN_BASE_FAILURE_H

#include <stdbool.h>

struct failure {
	char text[512];
};

/* Writes the line (no newline at its end) and returns false, so that it can be returned: `return fail(f, "%s: …", path);` */
bool fail(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
