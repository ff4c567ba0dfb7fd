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
