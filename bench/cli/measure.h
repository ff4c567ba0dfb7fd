/*
 * measure - one load against one server of the user's own, as replay and flood run it.
 */
#ifndef UTURN_BENCH_CLI_MEASURE_H
#define UTURN_BENCH_CLI_MEASURE_H

#include "cli/call.h"
#include "cli/session.h"

/* Runs the call, or the flood that the options describe where `call` is NULL, and adds its RESULT. */
bool load_measure(struct session *s, const struct call *call);

#endif
