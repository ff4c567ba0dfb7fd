/*
 * server - the process: shards, sockets, HTTP, and what an operator does to it while it runs.
 *
 * Owns:    everything; one per process.
 * Threads: the main thread, in one event loop. Shards run in threads of their own.
 */
#ifndef UTURN_SERVER_SERVER_H
#define UTURN_SERVER_SERVER_H

#include "server/config.h"
#include "server/options.h"

/*
 * Runs until the relay ends. Takes the configuration over. NULL (options->awaits): it comes later, by server_offer; until then the
 * process is alive but not ready. The exit status: 0, or 1 after one line on what went wrong.
 */
int server_run(struct config *config, const struct options *options);

#endif
