#include "cli/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture.h"

enum { WINDOW_DEFAULT = 64 };

void call_name(char **paths, unsigned count, char *name, size_t size)
{
	size_t used = 0;
	name[0] = '\0';
	for (unsigned i = 0; i < count && used < size; i++) {
		const char *slash = strrchr(paths[i], '/');
		int wrote = snprintf(name + used, size - used, "%s%s", i ? " + " : "", slash ? slash + 1 : paths[i]);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
}

bool call_read(const struct options *options, struct call *ret_call, struct failure *failure)
{
	unsigned count = options->argument_count, read = 0;
	struct capture *captures = calloc(count, sizeof *captures);
	if (!captures)
		return fail(failure, "out of memory");
	bool good = true;
	while (good && read < count) {
		good = capture_read(options->arguments[read], options->packets_min, &captures[read], failure);
		read += good;
	}
	struct call call = {0};
	good = good && capture_join(captures, count, &call.script, failure);
	for (unsigned i = 0; i < read; i++)
		capture_done(&captures[i]);
	free(captures);
	if (!good)
		return false;
	call_name(options->arguments, count, call.name, sizeof call.name);
	*ret_call = call;
	return true;
}

void call_done(struct call *call)
{
	script_free(&call->script);
}

struct load_flood call_flood(const struct options *options)
{
	return (struct load_flood){
		.flows = options->flows,
		.size = options->size,
		.burst = options->burst,
		.up = options->up,
		.down = options->down,
		.indications = options->indications,
		.rate_per_s = options->rate_per_s,
		.window = options->window ? options->window : WINDOW_DEFAULT,
	};
}

/* The tracepoint costs the server a little: its phase is no longer than it must be. */
static double system_calls_s(const struct options *options)
{
	if (options->system_calls_s >= 0 || options->server_pid == 0)
		return options->system_calls_s > 0 ? options->system_calls_s : 0;
	return options->seconds < 1 ? options->seconds : 1;
}

struct load_plan call_plan(const struct options *options, const struct target *target, uint64_t seed, const struct call *call)
{
	struct load_plan plan = {
		.name = call ? call->name : "flood",
		.captures = call ? call->name : NULL,
		.kind = call ? LOAD_SCRIPT : LOAD_FLOOD,
		.flood = call_flood(options),
		.script = call ? &call->script : NULL,
		.calls = options->calls,
		.gso = options->gso,
		.warmup_s = options->warmup_s,
		.seconds = options->seconds,
		.system_calls_s = system_calls_s(options),
		.drain_s = options->drain_s,
		.workers = options->threads,
		.cores = target->loader_cores,
		.seed = seed,
	};
	return plan;
}
