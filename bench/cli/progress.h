/*
 * progress - a line on a terminal's standard error that is rewritten while a load runs, and gone at the end; silent anywhere else.
 */
#ifndef UTURN_BENCH_CLI_PROGRESS_H
#define UTURN_BENCH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "load/load.h"

struct progress {
	bool on;
	unsigned columns; /* of the terminal */
};

void progress_begin(struct progress *p, bool quiet);

/* A load_progress_fn; the context is a struct progress. */
void progress_show(void *context, const struct load_progress *now);

/* Cleans the line, so that something else can be written. */
void progress_clear(const struct progress *p);

/* The line itself: "  3.2/10.0 s   152.3 k/s   loss 0.00 %   p99 0.21 ms   measuring". Returns its length. */
size_t progress_format(const struct load_progress *now, char *line, size_t size);

#endif
