/*
 * measure - what replay, flood, attack and find-max share: a session around a measurement with a captured call or a flood.
 */
#ifndef UTURN_BENCH_CLI_MEASURE_H
#define UTURN_BENCH_CLI_MEASURE_H

#include "cli/call.h"
#include "cli/session.h"

/* What is measured, with the call of the captures on the command line; NULL where there are none. Adds its RESULT. */
typedef bool measure_fn(struct session *s, const struct call *call);

/* A command's `execute`: begins the session, reads the captures, measures, ends the session. Returns the exit status. */
int measure_execute(const struct run *run, measure_fn *measure);

/* Runs the call, or the flood that the options describe where `call` is NULL, and adds its RESULT. */
bool load_measure(struct session *s, const struct call *call);

#endif
