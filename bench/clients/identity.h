/*
 * identity - a certificate and its key for servers that are started to be measured: P-256, signed by itself, valid for a day.
 */
#ifndef UTURN_BENCH_CLIENTS_IDENTITY_H
#define UTURN_BENCH_CLIENTS_IDENTITY_H

#include "base/failure.h"

/* Writes both as PEM. False with one line. */
bool identity_make(const char *certificate_path, const char *key_path, struct failure *failure);

#endif
