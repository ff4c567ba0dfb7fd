#include "turncat/turncat.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "turncat/environment.h"
#include "turncat/local.h"
#include "turncat/sockets.h"

struct turncat {
	struct turncat_options options;
	struct event_base *base;
	struct resolver resolver;
	struct upstream upstream;
	struct tunnel_world tunnels;
	struct local_world world;
	struct local_udp *udp;
	struct local_stream *stream;
	struct local_stdio *stdio;
	struct event *signals[2];
	int status;
};

static void leave(void *context, int status)
{
	struct turncat *t = context;
	t->status = status;
	event_base_loopbreak(t->base);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	(void)what;
	log_info(LOG_TURNCAT, "%s: the tunnels end", number == SIGINT ? "SIGINT" : "SIGTERM");
	leave(context, TURNCAT_GOOD);
}

static bool watch_signals(struct turncat *t)
{
	static const int numbers[2] = {SIGINT, SIGTERM};
	for (int i = 0; i < 2; i++) {
		t->signals[i] = evsignal_new(t->base, numbers[i], on_signal, t);
		if (t->signals[i] == NULL || evsignal_add(t->signals[i], NULL) != 0)
			return false;
	}
	signal(SIGPIPE, SIG_IGN);
	return true;
}

/* A socket for each client, or two: as many as this process may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_local(struct turncat *t, struct failure *failure)
{
	t->world = (struct local_world){.tunnels = &t->tunnels, .options = &t->options, .leave = leave, .context = t};
	switch (t->options.local.kind) {
	case SPEC_UDP:
		t->udp = local_udp_create(&t->world, failure);
		return t->udp != NULL;
	case SPEC_TCP:
	case SPEC_UNIX:
		t->stream = local_stream_create(&t->world, failure);
		return t->stream != NULL;
	case SPEC_STDIO:
		t->stdio = local_stdio_create(&t->world, failure);
		return t->stdio != NULL;
	}
	return false;
}

static bool open_all(struct turncat *t, struct failure *failure)
{
	raise_descriptor_limit();
	t->base = event_base_new();
	t->resolver.base = t->base;
	t->tunnels = (struct tunnel_world){.base = t->base,
		.upstream = &t->upstream,
		.resolver = &t->resolver,
		.peer = &t->options.peer,
		.inbox = inbox_create()};
	if (t->base == NULL || t->tunnels.inbox == NULL || !watch_signals(t))
		return fail(failure, "out of memory");
	return upstream_init(&t->upstream, &t->options, &t->resolver, failure) && open_local(t, failure);
}

/* Allocations are ended first; then the loop has a round to free what waits for it. */
static void close_all(struct turncat *t)
{
	local_udp_free(t->udp);
	local_stream_free(t->stream);
	local_stdio_free(t->stdio);
	for (int i = 0; i < 2; i++)
		if (t->signals[i] != NULL)
			event_free(t->signals[i]);
	if (t->base != NULL)
		event_base_loop(t->base, EVLOOP_NONBLOCK);
	upstream_done(&t->upstream);
	resolver_done(&t->resolver);
	inbox_free(t->tunnels.inbox);
	if (t->base != NULL)
		event_base_free(t->base);
}

static void run(struct turncat *t)
{
	char local[SOCKETS_NAME_SIZE];
	struct failure failure;
	if (!open_all(t, &failure)) {
		log_error(LOG_TURNCAT, "%s", failure.text);
		t->status = TURNCAT_FAILED;
		return;
	}
	sockets_format(&t->options.local, local);
	log_info(LOG_TURNCAT, "clients arrive at %s", local);
	event_base_dispatch(t->base);
	if (t->tunnels.dropped > 0)
		log_info(LOG_TURNCAT, "packets dropped: %llu", t->tunnels.dropped);
}

int turncat_main(int argc, char **argv)
{
	struct turncat t = {.options = turncat_options_parse(argc, argv, environment_get, stdout, stderr)};
	if (t.options.leave)
		return t.options.status;
	log_to_standard_error();
	log_configure(t.options.loglevel, LOG_TEXT, NULL);
	run(&t);
	close_all(&t);
	return t.status;
}
