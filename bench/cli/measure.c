#include "cli/measure.h"

#include <stdlib.h>

#include "report/document.h"

bool load_measure(struct session *s, const struct call *call)
{
	struct target target;
	if (!target_resolve(s->options, &target, &s->failure))
		return false;
	struct load_result *result = calloc(1, sizeof *result);
	if (!result)
		return fail(&s->failure, "out of memory");
	struct load_plan plan = call_plan(s->options, &target, s->seed, call);
	bool good = load_run(&plan, &target.load, progress_show, &s->progress, result, &s->failure) &&
		    session_add(s, document_load(&plan, &target.load, NULL, NULL, result));
	free(result);
	return good;
}

int measure_execute(const struct run *run, measure_fn *measure)
{
	struct session s;
	struct call call = {0};
	bool captured = run->options.argument_count > 0;
	bool good = session_begin(&s, run) && (!captured || call_read(&run->options, &call, &s.failure)) &&
		    measure(&s, captured ? &call : NULL);
	call_done(&call);
	return session_end(&s, good);
}
