/*
 * fake_streams - the connections of a fake_listener: TCP, TLS and DTLS, on OpenSSL with memory for its input and its output.
 */
#ifndef UTURN_TESTS_BENCH_CLIENT_FAKE_STREAMS_H
#define UTURN_TESTS_BENCH_CLIENT_FAKE_STREAMS_H

#include "fake_listener.h"

/* Serves until l->stop. */
void fake_streams_run(struct fake_listener *l);

#endif
