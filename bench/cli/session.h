/*
 * session - what measuring commands do around their measurement: seed, signals, the output tried before, the document, the end.
 *
 *     bool good = session_begin(&s, run) && … && load_run(…, progress_show, &s.progress, …, &s.failure) &&
 *             session_add(&s, document_load(…));
 *     return session_end(&s, good);
 */
#ifndef UTURN_BENCH_CLI_SESSION_H
#define UTURN_BENCH_CLI_SESSION_H

#include <jansson.h>

#include "base/failure.h"
#include "cli/options.h"
#include "cli/progress.h"

/* One run of this program, as main hands it to a command. */
struct run {
	const char *name; /* "uturn-bench flood" */
	struct options options;
	int argc; /* the whole command line, for the document */
	char **argv;
};

struct session {
	const struct options *options;
	json_t *document;
	uint64_t seed;
	struct progress progress;
	bool partial;           /* what was measured before a failure is in the document and worth to be kept */
	struct failure failure; /* written by the step that failed */
};

/* False: the output cannot be written; nothing was begun. From here on Ctrl-C, SIGTERM and SIGHUP end a load, not the process. */
bool session_begin(struct session *s, const struct run *run);

/* Adds one RESULT, which is taken over; NULL is a failure. */
bool session_add(struct session *s, json_t *result);

/*
 * good: prints the document or its text, and writes the file; returns EXIT_GOOD, EXIT_INTERRUPTED where the measurement was ended
 * early, or EXIT_FAILED where the result could not be written. Otherwise prints the failure, and writes nothing unless `partial`.
 * Frees the document.
 */
int session_end(struct session *s, bool good);

/* "uturn-bench: …" on stderr; returns EXIT_FAILED. */
int failure_print(const struct failure *failure);

/* Whether a file can be made at `path` or replaced there; leaves nothing behind. "-" is standard output. */
bool output_possible(const char *path, struct failure *failure);

#endif
