/*
 * machine - what a result must say about where it was measured: kernel, processor, cores, memory, clock source.
 *
 * Texts that the machine does not give are "unknown". Threads: the coordinator's.
 */
#ifndef UTURN_BENCH_MEASURE_MACHINE_H
#define UTURN_BENCH_MEASURE_MACHINE_H

#include <stdint.h>

struct machine {
	char kernel[160]; /* uname: release and version */
	char processor[128];
	char clock_source[32];
	char distribution[128]; /* PRETTY_NAME of /etc/os-release */
	unsigned cores;         /* that this process may use */
	uint64_t memory_bytes;
	double load_average; /* of the last minute, as it was before the run */
};

void machine_describe(struct machine *ret_machine);

#endif
