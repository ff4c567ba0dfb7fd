/*
 * document - results as one JSON document (bench/FORMAT.md), and reading it back.
 *
 * Threads: the coordinator's. jansson objects are returned with one reference, for the caller.
 */
#ifndef UTURN_BENCH_REPORT_DOCUMENT_H
#define UTURN_BENCH_REPORT_DOCUMENT_H

#include <jansson.h>

#include "load/load.h"
#include "trials/allocate.h"
#include "trials/attack.h"
#include "trials/connect.h"
#include "trials/handshakes.h"

/*
 * An empty document of this machine and this command line, with empty "results" and "comparisons". What is made here is NULL
 * without memory.
 */
json_t *document_new(int argc, char **argv, uint64_t seed);

/*
 * One RESULT; each names its workload's parameters, too. `server_name` and `server_version` may be NULL: a server of the user's
 * own.
 */
json_t *document_load(const struct load_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct load_result *result);
json_t *document_allocate(const struct allocate_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct allocate_result *result);
json_t *document_attack(const struct attack_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct attack_result *result);
json_t *document_connect(const struct connect_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct connect_result *result);
json_t *document_handshakes(const struct handshakes_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct handshakes_result *result);

/*
 * Their "workload" and "server", for RESULTs that are made elsewhere (find-max). `target` may be NULL: nothing is known of the
 * server's place.
 */
json_t *document_workload(const struct load_plan *plan, const struct load_target *target);
json_t *document_server(const struct load_target *target, const char *server_name, const char *server_version);

/* The text that a person reads of one RESULT, on `out`. What it lacks is shown as "-". */
void document_print(const json_t *result, FILE *out);

/*
 * Writes the document to `path` ("-": standard output): to a temporary file beside it first, then renamed, so nothing half-written
 * is left. A symbolic link stays one; what is no regular file (/dev/null, a pipe) is written to directly.
 */
bool document_write(const json_t *document, const char *path, struct failure *failure);

/* Reads one and checks its "format". False: not readable, not JSON (line and column), another format. */
bool document_read(const char *path, json_t **ret_document, struct failure *failure);

#endif
