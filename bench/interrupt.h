/*
 * interrupt - whether this process was asked to end what it measures (Ctrl-C).
 */
#ifndef UTURN_BENCH_INTERRUPT_H
#define UTURN_BENCH_INTERRUPT_H

#include <stdbool.h>

/* Asks a running measurement to end its window now; async-signal-safe. Later ones of the process end at once, too. */
void interrupt_request(void);
bool interrupt_requested(void);

#endif
