/*
 * values - the shapes in which numbers, cores and lists are given on a command line.
 *
 * All of them: false, and nothing written, for anything but the whole text in that shape.
 */
#ifndef UTURN_BENCH_CLI_VALUES_H
#define UTURN_BENCH_CLI_VALUES_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "42" */
bool value_whole(const char *text, uint64_t *ret_number);

/* "0.5", "2", and with a suffix for thousands and millions: "100k", "1.5M". Neither signs nor names such as "inf". */
bool value_real(const char *text, double *ret_number);

/* "0,2-3" */
bool value_cores(const char *text, cpu_set_t *ret_cores);

/* "0,2-3" again, as people write it, shortened to `size`; "none" for an empty set. Returns `text`. */
const char *cores_format(const cpu_set_t *cores, char *text, size_t size);

enum { CORES_TEXT_SIZE = 256 };

/* The next part of a comma list, copied; *list moves behind it. False at the end, and for a part that is empty or too long. */
bool value_next(const char **list, char *part, size_t size);

#endif
