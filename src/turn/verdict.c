#include "turn/verdict.h"

#include <assert.h>

const char *verdict_label(enum verdict verdict)
{
	static const char *const labels[] = {
#define X(name, label, help) [name] = (label),
		TURN_VERDICTS(X)
#undef X
	};
	assert(verdict < VERDICT_COUNT);
	return labels[verdict];
}

const char *verdict_help(enum verdict verdict)
{
	static const char *const helps[] = {
#define X(name, label, help) [name] = (help),
		TURN_VERDICTS(X)
#undef X
	};
	assert(verdict < VERDICT_COUNT);
	return helps[verdict];
}

const char *auth_failure_label(enum auth_failure failure)
{
	static const char *const labels[] = {
#define X(name, label, help) [name] = (label),
		TURN_AUTH_FAILURES(X)
#undef X
	};
	assert(failure < AUTH_FAILURE_COUNT);
	return labels[failure];
}

const char *auth_failure_help(enum auth_failure failure)
{
	static const char *const helps[] = {
#define X(name, label, help) [name] = (help),
		TURN_AUTH_FAILURES(X)
#undef X
	};
	assert(failure < AUTH_FAILURE_COUNT);
	return helps[failure];
}
