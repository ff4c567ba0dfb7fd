#include "trials/attacker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "clients/setup.h"
#include "trials/addresses.h"
#include "wire/channel_data.h"
#include "wire/stun_build.h"

enum { RECEIVE_BYTES = 4096, NICE = 10, UNPERMITTED_SIZE = 160, CLIENT_SIZE = 1200, KEEP_ALIVE_MS = 100, ALLOCATE_SIZE = 28 };

struct attacker {
	enum attack_kind kind;
	double rate_per_s;
	cpu_set_t cores;
	int fds[ATTACKER_PORTS]; /* the kind's senders */
	unsigned fd_count, next_fd;
	struct tls_context *tls;
	struct connection_plan common;
	struct connection *connections; /* of the senders, where the server is reached over TCP, TLS or DTLS; NULL: UDP */
	int peer;                       /* ATTACK_CLIENT: where its packets end */
	struct turn_client turn;
	struct setup_client client;
	uint64_t keep_alive_ns, random;
	struct sockaddr_storage *targets; /* ATTACK_UNPERMITTED */
	socklen_t target_size;
	unsigned target_count, next_target;
	uint8_t payload[CHANNEL_DATA_HEADER_SIZE + CLIENT_SIZE];
	uint8_t requests[ATTACKER_BATCH][ALLOCATE_SIZE];
	struct iovec iovs[ATTACKER_BATCH];
	struct mmsghdr messages[ATTACKER_BATCH];
	bool started, running;
	pthread_t thread;
	_Atomic bool stop;
	struct attacker_times times;
	uint64_t sent, sent_in_window;
	int error; /* the last one that was not about full buffers */
};

/* The senders go where the victim's clients go. */
static bool connections_prepare(
	struct attacker *a, const struct addr *local, const struct load_target *target, struct failure *failure)
{
	const struct transport *t = &target->transport;
	if (t->kind == TRANSPORT_UDP)
		return true;
	if (transport_is_secure(t->kind) && (a->tls = tls_context_create(t, false, false, failure)) == NULL)
		return false;
	a->common = (struct connection_plan){.transport = t, .tls = a->tls, .local = *local, .server = target->server};
	a->connections = calloc(ATTACKER_PORTS, sizeof *a->connections);
	return a->connections != NULL || fail(failure, "out of memory");
}

static bool connection_add(struct attacker *a, struct failure *failure)
{
	struct connection *c = &a->connections[a->fd_count];
	struct establish_figures figures;
	connection_init(c, &a->common);
	bool good = establish(c, &(struct establish_plan){.count = 1, .parallel = 1}, &figures, failure);
	a->fds[a->fd_count++] = c->fd;
	return good;
}

static bool socket_add(struct attacker *a, const struct addr *local, const struct addr *remote, struct failure *failure)
{
	struct addr bound;
	if (a->connections != NULL)
		return connection_add(a, failure);
	int fd = endpoint_open(local, false, 0, &bound, failure);
	if (fd < 0)
		return false;
	a->fds[a->fd_count++] = fd;
	const int bytes = RECEIVE_BYTES;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	return remote == NULL || endpoint_connect(fd, remote, failure);
}

static void messages_init(struct attacker *a, size_t size)
{
	for (int i = 0; i < ATTACKER_BATCH; i++) {
		a->iovs[i] = (struct iovec){.iov_base = a->payload, .iov_len = size};
		a->messages[i].msg_hdr = (struct msghdr){.msg_iov = &a->iovs[i], .msg_iovlen = 1};
	}
}

static bool unauthenticated_open(
	struct attacker *a, const struct addresses *addresses, const struct load_target *target, struct failure *failure)
{
	/* Strangers do not share the address of clients that the server knows, where another address can be had. */
	struct addr other = addresses->local;
	struct failure none;
	endpoint_other_address(&addresses->local, &other, &none);
	if (!connections_prepare(a, &other, target, failure))
		return false;
	for (int i = 0; i < ATTACKER_PORTS; i++)
		if (!socket_add(a, &other, &target->server, failure))
			return false;
	messages_init(a, ALLOCATE_SIZE);
	static const uint8_t no_id[STUN_TRANSACTION_ID_SIZE];
	for (int i = 0; i < ATTACKER_BATCH; i++) {
		struct stun_builder b = stun_build(a->requests[i], ALLOCATE_SIZE, STUN_ALLOCATE, STUN_REQUEST, no_id);
		stun_build_u32(&b, STUN_ATTR_REQUESTED_TRANSPORT, (uint32_t)STUN_TRANSPORT_UDP << 24);
		stun_build_end(&b);
		a->iovs[i].iov_base = a->requests[i];
	}
	return true;
}

/* Permissions are per IP address (RFC 8656, section 9): another port of a peer's address would have one. */
static bool unpermitted_open(struct attacker *a, const struct addresses *addresses, struct failure *failure)
{
	struct addr other;
	if (!endpoint_other_address(&addresses->peer, &other, failure))
		return false;
	messages_init(a, UNPERMITTED_SIZE);
	return socket_add(a, &other, NULL, failure);
}

static bool client_open(
	struct attacker *a, const struct addresses *addresses, const struct load_target *target, struct failure *failure)
{
	struct addr peer_addr;
	const int bytes = RECEIVE_BYTES;
	a->peer = endpoint_open(&addresses->peer, false, 0, &peer_addr, failure);
	if (a->peer < 0)
		return false;
	setsockopt(a->peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (!connections_prepare(a, &addresses->local, target, failure) ||
		!socket_add(a, &addresses->local, &target->server, failure))
		return false;
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	if (peer == NULL)
		return fail(failure, "out of memory");
	*peer = (struct turn_client_peer){.addr = peer_addr, .channel = turn_client_channel(0)};
	turn_client_init(&a->turn, target->username, target->password, peer, 1);
	a->client = (struct setup_client){.fd = a->fds[0], .client = &a->turn, .connection = a->connections};
	messages_init(a, CHANNEL_DATA_HEADER_SIZE + CLIENT_SIZE);
	channel_data_write(a->payload, turn_client_channel(0), CLIENT_SIZE);
	return setup_clients(&a->client, 1, 1, NULL, failure);
}

static bool open_kind(struct attacker *a, const struct load_target *target, struct failure *failure)
{
	struct addresses addresses;
	if (!endpoint_make_room(ATTACKER_PORTS, failure) || !addresses_choose(target, &addresses, failure))
		return false;
	switch (a->kind) {
	case ATTACK_UNAUTHENTICATED:
		return unauthenticated_open(a, &addresses, target, failure);
	case ATTACK_UNPERMITTED:
		return unpermitted_open(a, &addresses, failure);
	case ATTACK_CLIENT:
		return client_open(a, &addresses, target, failure);
	case ATTACK_KINDS:
		break;
	}
	return fail(failure, "there is no such attack");
}

struct attacker *attacker_open(
	enum attack_kind kind, const struct attack_plan *plan, const struct load_target *target, struct failure *failure)
{
	struct attacker *a = calloc(1, sizeof *a);
	if (a == NULL) {
		fail(failure, "out of memory");
		return NULL;
	}
	a->kind = kind;
	a->rate_per_s = plan->rate_per_s;
	a->cores = plan->victim.cores;
	a->random = plan->victim.seed;
	a->peer = -1;
	if (open_kind(a, target, failure))
		return a;
	attacker_free(a);
	return NULL;
}

/* An id must be new, not secret: the seed decides (splitmix64). */
static uint64_t random_next(struct attacker *a)
{
	uint64_t x = a->random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void batch_prepare(struct attacker *a, unsigned count)
{
	if (a->kind == ATTACK_UNAUTHENTICATED) {
		for (unsigned i = 0; i < count; i++) {
			uint64_t id = random_next(a);
			memcpy(a->requests[i] + STUN_HEADER_SIZE - sizeof id, &id, sizeof id);
		}
	} else if (a->kind == ATTACK_UNPERMITTED) {
		for (unsigned i = 0; i < count; i++) {
			a->messages[i].msg_hdr.msg_name = &a->targets[a->next_target];
			a->messages[i].msg_hdr.msg_namelen = a->target_size;
			a->next_target = a->next_target + 1 == a->target_count ? 0 : a->next_target + 1;
		}
	}
}

static void sleep_ns(uint64_t ns)
{
	struct timespec pause = {.tv_nsec = (long)ns};
	nanosleep(&pause, NULL);
}

static void hear(void *context, struct bytes frame)
{
	struct attacker *a = context;
	if (a->client.client != NULL && turn_client_takes(frame))
		turn_client_receive(&a->turn, frame, clock_mono_ns());
}

/* Answers are read, or a full stream would end the attack. */
static unsigned connection_batch(struct attacker *a, struct connection *c, unsigned count)
{
	connection_readable(c, hear, a);
	if (!connection_begin(c)) {
		if (c->state == CONNECTION_ENDED)
			a->error = ECONNRESET;
		sleep_ns(NS_PER_MS / 10);
		return 0;
	}
	for (unsigned i = 0; i < count; i++)
		connection_put(c, &a->iovs[i], 1);
	return count - connection_flush(c);
}

static unsigned batch_send(struct attacker *a, unsigned count)
{
	batch_prepare(a, count);
	unsigned sender = a->next_fd;
	int fd = a->fds[sender];
	a->next_fd = sender + 1 == a->fd_count ? 0 : sender + 1;
	if (a->connections != NULL)
		return connection_batch(a, &a->connections[sender], count);
	int sent = sendmmsg(fd, a->messages, count, 0);
	if (sent >= 0)
		return (unsigned)sent;
	if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		a->error = errno;
	sleep_ns(NS_PER_MS / 10);
	return 0;
}

/* The allocation outlives its ten minutes in a long window. */
static void keep_alive(struct attacker *a, uint64_t now_ns)
{
	if (a->kind != ATTACK_CLIENT || now_ns < a->keep_alive_ns)
		return;
	a->keep_alive_ns = now_ns + KEEP_ALIVE_MS * NS_PER_MS;
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	ssize_t size;
	while (a->connections == NULL && (size = recv(a->client.fd, message, sizeof message, 0)) >= 0)
		hear(a, bytes_of(message, (size_t)size));
	uint64_t wake_ns;
	size_t length;
	while ((length = turn_client_poll(&a->turn, now_ns, message, &wake_ns)) > 0)
		if (!setup_send(&a->client, message, length))
			break;
}

/* How many packets are due now; with a rate, by whole milliseconds. */
static uint64_t packets_due(const struct attacker *a, uint64_t start_ns, uint64_t now_ns)
{
	if (a->rate_per_s <= 0)
		return ATTACKER_BATCH;
	uint64_t slices = (now_ns - start_ns) / NS_PER_MS + 1;
	uint64_t planned = (uint64_t)(a->rate_per_s * (double)slices / 1000);
	return planned > a->sent ? planned - a->sent : 0;
}

static void *attacker_main(void *context)
{
	struct attacker *a = context;
	/* So that the victim's threads on the same cores go first. Lowering one's own priority is always allowed. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	if (CPU_COUNT(&a->cores) > 0)
		sched_setaffinity(0, sizeof a->cores, &a->cores);
	uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
	while (!atomic_load_explicit(&a->stop, memory_order_relaxed) && now_ns < a->times.end_ns) {
		uint64_t due = packets_due(a, start_ns, now_ns);
		if (due == 0) {
			sleep_ns(NS_PER_MS - (now_ns - start_ns) % NS_PER_MS);
		} else {
			unsigned sent = batch_send(a, due < ATTACKER_BATCH ? (unsigned)due : ATTACKER_BATCH);
			a->sent += sent;
			if (now_ns >= a->times.window_start_ns && now_ns < a->times.window_end_ns)
				a->sent_in_window += sent;
		}
		keep_alive(a, now_ns);
		now_ns = clock_mono_ns();
	}
	return NULL;
}

static bool targets_copy(struct attacker *a, const struct addr *relayed, unsigned count, struct failure *failure)
{
	if (a->kind != ATTACK_UNPERMITTED)
		return true;
	if (count == 0)
		return fail(failure, "the victim has no relayed address to attack");
	a->targets = calloc(count, sizeof *a->targets);
	if (a->targets == NULL)
		return fail(failure, "out of memory");
	for (unsigned i = 0; i < count; i++)
		a->target_size = addr_to_sockaddr(&relayed[i], &a->targets[i]);
	a->target_count = count;
	return true;
}

bool attacker_start(
	struct attacker *a, const struct addr *relayed, unsigned count, const struct attacker_times *times, struct failure *failure)
{
	if (a->started)
		return true;
	if (!targets_copy(a, relayed, count, failure))
		return false;
	a->times = *times;
	int error = pthread_create(&a->thread, NULL, attacker_main, a);
	if (error != 0)
		return fail(failure, "cannot start a thread: %s", strerror(error));
	a->started = a->running = true;
	return true;
}

static void join(struct attacker *a)
{
	if (!a->running)
		return;
	atomic_store_explicit(&a->stop, true, memory_order_relaxed);
	pthread_join(a->thread, NULL);
	a->running = false;
}

bool attacker_stop(struct attacker *a, uint64_t *ret_packets, struct failure *failure)
{
	if (!a->started)
		return fail(
			failure, "the %s attack never began: the victim's allocations were not made", attack_kind_name(a->kind));
	join(a);
	if (a->sent == 0 && a->error != 0)
		return fail(failure, "the %s attack could send nothing: %s", attack_kind_name(a->kind), strerror(a->error));
	*ret_packets = a->sent_in_window;
	return true;
}

void attacker_free(struct attacker *a)
{
	if (a == NULL)
		return;
	join(a);
	if (a->client.client != NULL) {
		setup_farewell(&a->client, 1);
		turn_client_done(&a->turn);
	}
	for (unsigned i = 0; i < a->fd_count; i++) {
		if (a->connections != NULL)
			connection_close(&a->connections[i]);
		else
			close(a->fds[i]);
	}
	free(a->connections);
	tls_context_free(a->tls);
	if (a->peer >= 0)
		close(a->peer);
	free(a->targets);
	free(a);
}
