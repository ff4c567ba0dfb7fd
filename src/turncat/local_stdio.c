#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "turncat/answers.h"
#include "turncat/local.h"

enum { INPUT_SIZE = 128 * 1024, PACKETS_AT_ONCE = 32 };

struct local_stdio {
	const struct local_world *world;
	struct tunnel *tunnel;
	struct event *readable, *timer;
	bool is_file; /* always readable, and epoll does not want it */
	bool served;  /* there was a tunnel once */
	bool over;
	struct answers answers;
	size_t used;
	uint8_t input[INPUT_SIZE];
};

static void leave(struct local_stdio *l, int status)
{
	l->over = true;
	event_del(l->readable);
	event_del(l->timer);
	l->world->leave(l->world->context, status);
}

/* All of it, waiting where standard output is slow. */
static void on_packet(void *owner, struct bytes payload)
{
	struct local_stdio *l = owner;
	l->answers.answered++;
	l->answers.last_ns = clock_mono_ns();
	while (payload.size > 0 && !l->over) {
		ssize_t written = write(STDOUT_FILENO, payload.data, payload.size);
		if (written > 0)
			payload = bytes_of(payload.data + written, payload.size - (size_t)written);
		else if (errno == EAGAIN)
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			l->over = true;
	}
}

static void schedule(struct local_stdio *l)
{
	uint64_t left_ns = answers_left_ns(&l->answers, clock_mono_ns(), LOCAL_SETTLE_MS, LOCAL_LINGER_MS);
	struct timeval wait = {.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_usec = (suseconds_t)(left_ns % NS_PER_S / 1000) + 1};
	if (l->over)
		return;
	if (!l->answers.ended && l->used < sizeof l->input && tunnel_takes(l->tunnel)) {
		if (l->is_file)
			event_active(l->readable, EV_READ, 0);
		else
			event_add(l->readable, NULL);
	} else if (l->answers.ended && l->used == 0) {
		event_add(l->timer, &wait);
	}
}

static void on_batch_end(void *owner)
{
	struct local_stdio *l = owner;
	if (!l->over) {
		schedule(l);
		return;
	}
	log_error(LOG_TURNCAT, "cannot write to standard output: %s", strerror(errno));
	leave(l, TURNCAT_FAILED);
}

/* A line with its end; a piece of one that is longer than a packet, or the last one. 0: it has not arrived yet. */
static size_t next_line(const struct local_stdio *l, size_t from)
{
	size_t left = l->used - from;
	size_t within = left < TUNNEL_PAYLOAD_MAX ? left : TUNNEL_PAYLOAD_MAX;
	const uint8_t *end = left > 0 ? memchr(l->input + from, '\n', within) : NULL;
	if (end != NULL)
		return (size_t)(end - l->input) - from + 1;
	return left >= TUNNEL_PAYLOAD_MAX ? TUNNEL_PAYLOAD_MAX : l->answers.ended ? left : 0;
}

static void send_lines(struct local_stdio *l)
{
	size_t from = 0, size = 1;
	while (size > 0 && tunnel_takes(l->tunnel)) {
		for (int i = 0; i < PACKETS_AT_ONCE && (size = next_line(l, from)) > 0; i++) {
			tunnel_send(l->tunnel, bytes_of(l->input + from, size));
			l->answers.sent++;
			l->answers.last_ns = clock_mono_ns();
			from += size;
		}
		tunnel_flush(l->tunnel);
	}
	memmove(l->input, l->input + from, l->used - from);
	l->used -= from;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	struct local_stdio *l = context;
	assert(l->used < sizeof l->input);
	ssize_t size = read(STDIN_FILENO, l->input + l->used, sizeof l->input - l->used);
	if (l->over || (size < 0 && (errno == EINTR || errno == EAGAIN))) {
		schedule(l);
		return;
	}
	if (size <= 0) {
		l->answers.ended = true;
		l->answers.last_ns = clock_mono_ns();
	} else {
		l->used += (size_t)size;
	}
	send_lines(l);
	schedule(l);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	struct local_stdio *l = context;
	if (answers_left_ns(&l->answers, clock_mono_ns(), LOCAL_SETTLE_MS, LOCAL_LINGER_MS) == 0)
		leave(l, TURNCAT_GOOD);
	else
		schedule(l);
}

static void on_ready(void *owner)
{
	struct local_stdio *l = owner;
	l->served = true;
	send_lines(l);
	schedule(l);
}

/* A script wants to know at once that there is no tunnel; one that was there is made again, unless only answers are waited for. */
static void on_failed(void *owner, bool refused)
{
	struct local_stdio *l = owner;
	if (refused || !l->served || (l->answers.ended && l->used == 0))
		leave(l, TURNCAT_FAILED);
	else
		event_del(l->timer);
}

static const struct tunnel_events events = {.packet = on_packet, .batch_end = on_batch_end, .ready = on_ready, .failed = on_failed};

struct local_stdio *local_stdio_create(const struct local_world *world, struct failure *failure)
{
	struct local_stdio *l = calloc(1, sizeof *l);
	struct stat status;
	if (l == NULL) {
		fail(failure, "out of memory");
		return NULL;
	}
	l->world = world;
	l->is_file = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
	l->readable = event_new(world->tunnels->base, l->is_file ? -1 : STDIN_FILENO, EV_READ, on_readable, l);
	l->timer = evtimer_new(world->tunnels->base, on_timer, l);
	if (l->readable != NULL && l->timer != NULL)
		l->tunnel = tunnel_create(world->tunnels, "standard input", &events, l);
	if (l->tunnel != NULL)
		return l;
	fail(failure, "out of memory");
	local_stdio_free(l);
	return NULL;
}

void local_stdio_free(struct local_stdio *l)
{
	if (l == NULL)
		return;
	tunnel_free(l->tunnel);
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->timer != NULL)
		event_free(l->timer);
	free(l);
}
