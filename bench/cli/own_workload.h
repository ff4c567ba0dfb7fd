/*
 * own_workload - a workload of the user's own for compare: "flood --size 100", "replay call.pcap --calls 10", "allocate",
 * "connect".
 */
#ifndef UTURN_BENCH_CLI_OWN_WORKLOAD_H
#define UTURN_BENCH_CLI_OWN_WORKLOAD_H

#include "compare/workload.h"

struct own_workload {
	struct workload workload; /* its texts lie here and in the command line */
	char title[256];
	char folder[4096]; /* of the capture; empty without one */
};

/*
 * Parses words[0] … into *own, in place. -1: go on; otherwise it has said everything, as options_parse.
 */
int own_workload_parse(char **words, unsigned count, struct own_workload *own);

#endif
