#include "server/resolver.h"

#include <ares.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Later versions keep answers for as long as these say. A name is asked for anew each time here. */
#ifdef ARES_OPT_QUERY_CACHE
#define OPTION_NO_CACHE ARES_OPT_QUERY_CACHE
#else
#define OPTION_NO_CACHE 0
#endif

/* A socket of c-ares, and what it waits for. */
struct watched {
	struct resolver *resolver;
	struct watched *next;
	struct event *event;
	int fd;
};

struct question;

/* What c-ares hands back for one family. */
struct asked {
	struct question *question;
	struct name_answer answer;
};

struct question {
	struct resolver *resolver;
	uint64_t id;
	unsigned pending; /* families without an answer yet */
	const char *error;
	struct asked asked[RELAY_FAMILIES];
};

struct resolver {
	struct event_base *base;
	resolver_done *done; /* NULL: ending, nobody is told any more */
	void *context;
	ares_channel channel; /* NULL: not made yet */
	struct event *timer;
	struct watched *watched;
	unsigned question_count;
	bool inside; /* a function of c-ares, where its channel must not be ended */
};

static void set_timer(struct resolver *resolver)
{
	struct timeval wait;
	if (ares_timeout(resolver->channel, NULL, &wait) != NULL)
		event_add(resolver->timer, &wait);
	else
		event_del(resolver->timer);
}

static void process(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
	resolver->inside = true;
	ares_process_fd(resolver->channel, readable, writable);
	resolver->inside = false;
	set_timer(resolver);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	process(context, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
	/* Which may be gone afterwards. */
	struct watched *watched = context;
	process(watched->resolver, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
}

static void unwatch(struct resolver *resolver, int fd)
{
	for (struct watched **at = &resolver->watched; *at != NULL; at = &(*at)->next) {
		struct watched *watched = *at;
		if (watched->fd != fd)
			continue;
		*at = watched->next;
		event_free(watched->event);
		free(watched);
		return;
	}
}

/* Without memory nothing is watched, and the question times out. */
static void watch(struct resolver *resolver, int fd, short what)
{
	struct watched *watched = calloc(1, sizeof *watched);
	if (watched == NULL)
		return;
	*watched = (struct watched){.resolver = resolver, .next = resolver->watched, .fd = fd};
	watched->event = event_new(resolver->base, fd, (short)(what | EV_PERSIST), on_socket, watched);
	if (watched->event == NULL) {
		free(watched);
		return;
	}
	event_add(watched->event, NULL);
	resolver->watched = watched;
}

static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = context;
	unwatch(resolver, fd);
	if (readable || writable)
		watch(resolver, fd, (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)));
}

static size_t count_addresses(const struct ares_addrinfo *info)
{
	size_t count = 0;
	for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next)
		count++;
	return count < CLUSTER_NAME_ADDRESSES_MAX ? count : CLUSTER_NAME_ADDRESSES_MAX;
}

static int take_addresses(struct name_answer *answer, const struct ares_addrinfo *info)
{
	size_t room = count_addresses(info);
	if (room == 0)
		return ARES_ENODATA;
	answer->addresses = calloc(room, sizeof *answer->addresses);
	if (answer->addresses == NULL)
		return ARES_ENOMEM;
	for (const struct ares_addrinfo_node *node = info->nodes; node != NULL && answer->count < room; node = node->ai_next) {
		struct addr address = addr_from_sockaddr(node->ai_addr);
		answer->addresses[answer->count++] = addr_with_port(addr_canonical(&address), 0);
	}
	answer->result = NAME_HAS_ADDRESSES;
	return ARES_SUCCESS;
}

static void finish(struct question *question)
{
	struct resolver *resolver = question->resolver;
	struct name_answer answers[RELAY_FAMILIES];
	for (int family = 0; family < RELAY_FAMILIES; family++)
		answers[family] = question->asked[family].answer;
	resolver->question_count--;
	if (resolver->done != NULL)
		resolver->done(resolver->context, question->id, answers, question->error);
	for (int family = 0; family < RELAY_FAMILIES; family++)
		free(question->asked[family].answer.addresses);
	free(question);
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	(void)timeouts;
	struct asked *asked = context;
	struct question *question = asked->question;
	if (status == ARES_SUCCESS)
		status = take_addresses(&asked->answer, info);
	bool none = status == ARES_ENOTFOUND || status == ARES_ENODATA;
	if (status != ARES_SUCCESS)
		asked->answer.result = none ? NAME_HAS_NONE : NAME_FAILED;
	/* A failure says more than that there is nothing. */
	if (status != ARES_SUCCESS && (question->error == NULL || !none))
		question->error = ares_strerror(status);
	ares_freeaddrinfo(info);
	if (--question->pending == 0)
		finish(question);
}

struct resolver *resolver_create(struct event_base *base, resolver_done *done, void *context)
{
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return NULL;
	struct resolver *resolver = calloc(1, sizeof *resolver);
	if (resolver == NULL)
		return NULL;
	*resolver = (struct resolver){.base = base, .done = done, .context = context};
	resolver->timer = event_new(base, -1, 0, on_timer, resolver);
	if (resolver->timer != NULL)
		return resolver;
	free(resolver);
	return NULL;
}

static void close_channel(struct resolver *resolver)
{
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	resolver->channel = NULL;
	event_del(resolver->timer);
	while (resolver->watched != NULL)
		unwatch(resolver, resolver->watched->fd);
}

void resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	resolver->done = NULL;
	close_channel(resolver);
	event_free(resolver->timer);
	free(resolver);
	ares_library_cleanup();
}

static bool open_channel(struct resolver *resolver)
{
	struct ares_options options = {
		.timeout = RESOLVER_TIMEOUT_MS,
		.tries = RESOLVER_TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = resolver,
	};
	int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | OPTION_NO_CACHE;
	return ares_init_options(&resolver->channel, &options, given) == ARES_SUCCESS;
}

bool resolver_ask(struct resolver *resolver, const char *name, uint64_t id)
{
	static const int families[RELAY_FAMILIES] = {[RELAY_IPV4] = AF_INET, [RELAY_IPV6] = AF_INET6};
	assert(!resolver->inside);
	if (resolver->question_count == RESOLVER_QUESTIONS_MAX)
		return false;
	if (resolver->question_count == 0)
		close_channel(resolver);
	struct question *question = calloc(1, sizeof *question);
	if (question == NULL || (resolver->channel == NULL && !open_channel(resolver))) {
		free(question);
		return false;
	}
	*question = (struct question){.resolver = resolver, .id = id, .pending = RELAY_FAMILIES};
	resolver->question_count++;
	resolver->inside = true;
	struct asked *asked = question->asked;
	for (int family = 0; family < RELAY_FAMILIES; family++)
		asked[family].question = question;
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		/* Unsorted: to sort by RFC 6724 would take a socket for each address. */
		struct ares_addrinfo_hints hints = {
			.ai_flags = ARES_AI_NOSORT, .ai_family = families[family], .ai_socktype = SOCK_DGRAM};
		ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, &asked[family]);
	}
	resolver->inside = false;
	set_timer(resolver);
	return true;
}
