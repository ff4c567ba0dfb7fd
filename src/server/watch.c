/*
 * watch - notices that the configuration file has changed.
 *
 * The folder is watched, not the file: editors replace files, and a ConfigMap volume swaps the link `..data` that the file's own
 * link leads through. Events come in flurries, so the file is read once things have been quiet for a moment.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "server_state.h"

enum { SETTLE_MS = 100 };

struct watch {
	struct server *server;
	const char *name; /* of the file in its folder; inside the options */
	int inotify;
	struct event *changed, *settled;
};

/* Other files in the folder are no business of ours; `..data` is what a ConfigMap volume swaps. */
static bool concerns_us(const struct watch *watch, const struct inotify_event *event)
{
	return event->len > 0 && (strcmp(event->name, watch->name) == 0 || strcmp(event->name, "..data") == 0);
}

static void on_changed(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	struct watch *watch = context;
	union {
		struct inotify_event align;
		char bytes[4096];
	} buffer;
	bool ours = false;
	ssize_t size;
	while ((size = read(fd, &buffer, sizeof buffer)) > 0) {
		const struct inotify_event *event;
		for (char *p = buffer.bytes; p < buffer.bytes + size; p += sizeof *event + event->len) {
			event = (const struct inotify_event *)(void *)p;
			ours |= concerns_us(watch, event);
			if (event->mask & IN_IGNORED)
				log_warn(LOG_CONFIG, "the configuration file's folder is gone: changes take a SIGHUP from now on");
		}
	}
	struct timeval settle = {.tv_usec = SETTLE_MS * 1000};
	if (ours)
		event_add(watch->settled, &settle);
}

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct watch *watch = context;
	server_reload(watch->server, "the file's folder changed");
}

static int open_inotify(const char *file)
{
	char path[PATH_MAX];
	if (strlen(file) >= sizeof path)
		return -ENAMETOOLONG;
	strcpy(path, file);
	int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (inotify < 0)
		return -errno;
	uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;
	if (inotify_add_watch(inotify, dirname(path), mask) < 0) {
		int error = errno;
		close(inotify);
		return -error;
	}
	return inotify;
}

struct watch *watch_start(struct server *server, const char *file)
{
	int inotify = open_inotify(file);
	if (inotify < 0) {
		log_warn(LOG_CONFIG, "%s: cannot watch its folder: %s: changes take a SIGHUP", file, strerror(-inotify));
		return NULL;
	}
	struct watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL) {
		close(inotify);
		return NULL;
	}
	const char *slash = strrchr(file, '/');
	watch->server = server;
	watch->name = slash == NULL ? file : slash + 1;
	watch->inotify = inotify;
	watch->changed = event_new(server->events, inotify, EV_READ | EV_PERSIST, on_changed, watch);
	watch->settled = event_new(server->events, -1, 0, on_settled, watch);
	if (watch->changed == NULL || watch->settled == NULL || event_add(watch->changed, NULL) != 0) {
		watch_stop(watch);
		return NULL;
	}
	return watch;
}

void watch_stop(struct watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->changed != NULL)
		event_free(watch->changed);
	if (watch->settled != NULL)
		event_free(watch->settled);
	close(watch->inotify);
	free(watch);
}
