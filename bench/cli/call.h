/*
 * call - the call that the captures on the command line hold, and plans made from options.
 */
#ifndef UTURN_BENCH_CLI_CALL_H
#define UTURN_BENCH_CLI_CALL_H

#include "base/failure.h"
#include "cli/options.h"
#include "cli/target.h"
#include "load/load.h"

enum { CAPTURES_MAX = 64 };

struct call {
	struct script script;
	char name[128]; /* the files' names without their folders: "audio.pcap", "audio.pcap + video.pcap" */
};

/* Reads all captures that the options name and joins them into one script. */
bool call_read(const struct options *options, struct call *ret_call, struct failure *failure);
void call_done(struct call *call);

/* LOAD_SCRIPT of the call, or LOAD_FLOOD where `call` is NULL. The plan refers to `call`. */
struct load_plan call_plan(const struct options *options, const struct target *target, uint64_t seed, const struct call *call);

/* A flood as the options describe it. */
struct load_flood call_flood(const struct options *options);

/* "a.pcap + b.pcap" of paths, shortened to `size`. */
void call_name(char **paths, unsigned count, char *name, size_t size);

#endif
