#include "shard/stream_counters.h"

const char *stream_refusal_name(enum stream_refusal refusal)
{
	static const char *const names[STREAM_REFUSALS] = {
		[REFUSED_CONNECTIONS] = "connections",
		[REFUSED_SOURCE] = "source",
		[REFUSED_UNTRUSTED] = "untrusted",
		[REFUSED_MEMORY] = "memory",
	};
	return names[refusal];
}

const char *stream_end_name(enum stream_end end)
{
	static const char *const names[STREAM_ENDS] = {
		[END_BY_CLIENT] = "client",
		[END_RESET] = "reset",
		[END_GARBAGE] = "garbage",
		[END_PROXY] = "proxy_header",
		[END_HANDSHAKE] = "handshake",
		[END_RECORD] = "record",
		[END_TIMEOUT] = "timeout",
		[END_IDLE] = "idle",
		[END_STUCK] = "stuck",
		[END_ANSWERS] = "answers",
		[END_REFUSED] = "refused",
		[END_SERVER] = "server",
	};
	return names[end];
}
