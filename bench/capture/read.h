/*
 * read - from an open file to a capture; capture_read without the opening.
 */
#ifndef UTURN_BENCH_CAPTURE_READ_H
#define UTURN_BENCH_CAPTURE_READ_H

#include "capture/traffic.h"

/* Reads and closes `file`, also when it fails; `name` is for the line. The rest is as with capture_read. */
bool capture_read_file(FILE *file, const char *name, uint64_t packets_min, struct capture *ret_capture, struct failure *failure);

/* From traffic that is complete; it is in order of time afterwards. The rest is as with capture_read. */
bool capture_make(struct traffic *t, const char *name, uint64_t packets_min, struct capture *ret_capture, struct failure *failure);

/* The packets that were left out, by reason: "12 TCP, 3 DNS". Returns `text`. */
const char *capture_reasons_format(const uint64_t reasons[static CAPTURE_REASONS], char *text, size_t size);

#endif
