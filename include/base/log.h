/*
 * log - lines for operators, on standard output (or standard error): text or JSON, with a level per scope.
 *
 * Never called per packet. What a stranger can cause goes through a `struct log_limit`.
 *
 * Text: "2026-11-21T15:04:05.123Z INFO  turn: message"; JSON: {"time":…,"level":…,"scope":…,"msg":…}, one valid object a line.
 * Threads: any; a line is written with one write(2). log_configure may run while others log.
 * Never blocks: a line that standard output does not take at once is lost, and the next line that it takes says how many were.
 */
#ifndef UTURN_BASE_LOG_H
#define UTURN_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DISABLE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_scope {
	LOG_SERVER,  /* "uturn": start, stop, drain */
	LOG_CONFIG,  /* "config" */
	LOG_TURN,    /* "turn" */
	LOG_AUTH,    /* "auth" */
	LOG_IO,      /* "io" */
	LOG_OPS,     /* "ops": HTTP endpoints */
	LOG_TURNCAT, /* "turncat": the tunnel */
	LOG_SCOPES
};

/*
 * stunnerd's level syntax: a comma list of scope:LEVEL, case-insensitive (DISABLE ERROR WARN WARNING INFO DEBUG TRACE); the scope
 * `all` sets the default, scopes that uturn does not have are accepted and ignored. False, with nothing changed, when an entry is
 * malformed; *ret_bad (if not NULL) then points at the entry inside `spec`.
 */
bool log_spec_valid(const char *spec, const char **ret_bad);
bool log_configure(const char *spec, enum log_format format, const char **ret_bad);

/* From now on lines go to standard error: standard output is for what the program makes. Before other threads log. */
void log_to_standard_error(void);

bool log_enabled(enum log_scope scope, enum log_level level);

void log_write(enum log_scope scope, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(scope, ...) log_write(scope, LOG_ERROR, __VA_ARGS__)
#define log_warn(scope, ...) log_write(scope, LOG_WARN, __VA_ARGS__)
#define log_info(scope, ...) log_write(scope, LOG_INFO, __VA_ARGS__)
#define log_debug(scope, ...) log_write(scope, LOG_DEBUG, __VA_ARGS__)

/* Keeps one log statement to a line in an interval; of one thread. Zero-initialise it. */
struct log_limit {
	uint64_t next_ns;
	uint32_t suppressed;
};

/* True at most once in `interval_ns`; *ret_suppressed says how many times it was false since. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns, uint32_t *ret_suppressed);

#endif
