#include "server/cds.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cds_client.h"

enum { RETRY_MS = 1000, STOP_MS = 1000, REMINDER_TRIES = 60 };

struct cds_watch {
	bool once;
	struct cds_listener listener;
	struct cds_client *client;
	pthread_t thread;
	int has_news, stopping, stopped; /* eventfds; the last is raised when the thread ends */
	char place[CDS_TEXT_SIZE];

	pthread_mutex_t lock;
	struct cds_news news; /* under the lock */
};

static void drop_text(char *text, size_t size)
{
	if (text != NULL)
		bytes_wipe(text, size);
	free(text);
}

struct fetched {
	char *text;
	size_t size;
};

static void fetch_opened(void *context)
{
	(void)context;
}

static void fetch_arrived(void *context, char *text, size_t size)
{
	struct fetched *fetched = context;
	drop_text(fetched->text, fetched->size);
	*fetched = (struct fetched){text, size};
}

char *cds_fetch(const struct cds_source *source, size_t *ret_size, char ret_error[static CDS_ERROR_SIZE])
{
	struct fetched fetched = {0};
	const struct cds_listener listener = {&fetched, fetch_opened, fetch_arrived};
	struct cds_client *client = cds_client_create(source, &listener);
	strcpy(ret_error, "libwebsockets does not start: not enough memory, or /dev/urandom cannot be read");
	if (client == NULL)
		return NULL;
	cds_client_run(client, false, ret_error);
	cds_client_free(client);
	*ret_size = fetched.size;
	return fetched.text;
}

static void raise_event(int event)
{
	uint64_t one = 1;
	/* Full means that it is readable, which is all it has to be. */
	(void)!write(event, &one, sizeof one);
}

/* Is it raised, at the latest when the time is over? */
static bool await_event(int event, int timeout_ms)
{
	struct pollfd wanted = {.fd = event, .events = POLLIN};
	return poll(&wanted, 1, timeout_ms) > 0;
}

static void watch_opened(void *context)
{
	struct cds_watch *watch = context;
	pthread_mutex_lock(&watch->lock);
	watch->news.connected = true;
	watch->news.problem[0] = '\0';
	watch->news.connects++;
	pthread_mutex_unlock(&watch->lock);
	log_info(LOG_CONFIG, "%s: connected to the config discovery service", watch->place);
	raise_event(watch->has_news);
}

static void watch_arrived(void *context, char *text, size_t size)
{
	struct cds_watch *watch = context;
	pthread_mutex_lock(&watch->lock);
	drop_text(watch->news.text, watch->news.size);
	watch->news.text = text;
	watch->news.size = size;
	watch->news.messages++;
	pthread_mutex_unlock(&watch->lock);
	raise_event(watch->has_news);
}

/* What was said last, and how many failures have been like it since. */
struct told {
	char why[CDS_ERROR_SIZE];
	unsigned repeated;
};

/* A failure that is not like the one before is a warning, and then one a minute. */
static void log_failure(const struct cds_watch *watch, const char *why, struct told *told)
{
	bool again = strcmp(told->why, why) == 0 && ++told->repeated % REMINDER_TRIES != 0;
	if (again) {
		log_debug(LOG_CONFIG, "%s: config discovery service: %s", watch->place, why);
		return;
	}
	log_warn(LOG_CONFIG, "%s: config discovery service: %s; tried again every second", watch->place, why);
	snprintf(told->why, sizeof told->why, "%s", why);
	told->repeated = 0;
}

static void *watch_main(void *context)
{
	struct cds_watch *watch = context;
	struct told told = {0};
	pthread_setname_np(pthread_self(), "discovery");
	do {
		char why[CDS_ERROR_SIZE];
		cds_client_run(watch->client, !watch->once, why);
		pthread_mutex_lock(&watch->lock);
		watch->news.connected = false;
		watch->news.over = watch->once;
		memcpy(watch->news.problem, why, sizeof why);
		pthread_mutex_unlock(&watch->lock);
		if (!watch->once && !await_event(watch->stopping, 0))
			log_failure(watch, why, &told);
		raise_event(watch->has_news);
	} while (!watch->once && !await_event(watch->stopping, RETRY_MS));
	raise_event(watch->stopped);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct cds_watch *watch)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&watch->thread, NULL, watch_main, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void free_watch(struct cds_watch *watch)
{
	const int events[] = {watch->has_news, watch->stopping, watch->stopped};
	cds_client_free(watch->client);
	drop_text(watch->news.text, watch->news.size);
	pthread_mutex_destroy(&watch->lock);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (events[i] >= 0)
			close(events[i]);
	free(watch);
}

struct cds_watch *cds_watch_start(const struct cds_source *source, bool once)
{
	struct cds_watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		return NULL;
	watch->once = once;
	pthread_mutex_init(&watch->lock, NULL);
	config_origin_text(source, watch->place);
	watch->listener = (struct cds_listener){watch, watch_opened, watch_arrived};
	watch->has_news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	watch->stopping = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	watch->stopped = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int error = watch->has_news < 0 || watch->stopping < 0 || watch->stopped < 0 ? errno : 0;
	if (error == 0) {
		watch->client = cds_client_create(source, &watch->listener);
		error = watch->client == NULL ? ENOMEM : start_thread(watch);
	}
	if (error == 0)
		return watch;
	free_watch(watch);
	errno = error;
	return NULL;
}

int cds_watch_fd(const struct cds_watch *watch)
{
	return watch->has_news;
}

struct cds_news cds_watch_take(struct cds_watch *watch)
{
	uint64_t count;
	(void)!read(watch->has_news, &count, sizeof count);
	pthread_mutex_lock(&watch->lock);
	struct cds_news news = watch->news;
	watch->news.text = NULL;
	watch->news.size = 0;
	pthread_mutex_unlock(&watch->lock);
	return news;
}

void cds_watch_stop(struct cds_watch *watch)
{
	if (watch == NULL)
		return;
	raise_event(watch->stopping);
	cds_client_interrupt(watch->client);
	/* A name server that does not answer can hold its thread up for long. The process ends with it or without it. */
	if (!await_event(watch->stopped, STOP_MS))
		return;
	pthread_join(watch->thread, NULL);
	free_watch(watch);
}
