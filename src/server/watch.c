/*
 * watch - notices that the configuration file has changed, or one that it names: certificates and keys.
 *
 * Folders are watched, not files: editors and certbot replace files, and a ConfigMap or Secret volume swaps the link `..data` that
 * the file's own link leads through. Events come in flurries, so the files are read once things have been quiet for a moment.
 *
 * A folder that cannot be watched, or that another one has taken the place of, is looked for every second; and so is the
 * configuration's file where it is awaited (-w) and not there yet.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server_state.h"

enum { SETTLE_MS = 100, LOOK_S = 1 };

/* A file that we wait for. Its folder has the number `wd` with inotify, which is the same for all files in it; -1: not watched. */
struct watched {
	char *path;
	int wd;
};

struct watch {
	struct server *server;
	const char *file; /* the configuration; inside the options */
	int inotify;
	struct watched *list;
	size_t count;
	struct event *changed, *settled;
	struct event *look; /* the file, or a folder, is looked for */
	bool awaited;       /* the file is not there yet */
};

/* -1: there is none. */
static off_t size_of(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? status.st_size : -1;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

/* Other files in the folder are no business of ours; `..data` is what a volume swaps. */
static bool concerns_us(const struct watch *watch, const struct inotify_event *event)
{
	if (event->len == 0)
		return false;
	for (size_t i = 0; i < watch->count; i++) {
		const struct watched *watched = &watch->list[i];
		if (watched->wd != event->wd)
			continue;
		if (strcmp(event->name, name_of(watched->path)) == 0 || strcmp(event->name, "..data") == 0)
			return true;
	}
	return false;
}

/* The configuration is the first of the files. */
static bool folder_is_watched(const struct watch *watch)
{
	return watch->count > 0 && watch->list[0].wd >= 0;
}

static bool is_missing(const struct watch *watch)
{
	return !folder_is_watched(watch) || size_of(watch->file) < 0;
}

static bool has_wd(const struct watched *list, size_t count, int wd)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].wd == wd)
			return true;
	return false;
}

static bool some_folder_is_not_watched(const struct watch *watch)
{
	return has_wd(watch->list, watch->count, -1);
}

/* From now on, until all is there. */
static void look_for_what_is_missing(struct watch *watch)
{
	struct timeval interval = {.tv_sec = LOOK_S};
	if (!watch->awaited && watch->server->options->awaits && is_missing(watch)) {
		log_info(LOG_CONFIG, "%s: waiting for it", watch->file);
		watch->awaited = true;
	}
	if ((watch->awaited || some_folder_is_not_watched(watch)) && !event_pending(watch->look, EV_TIMEOUT, NULL))
		event_add(watch->look, &interval);
}

static void folder_is_gone(struct watch *watch, int wd)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->list[i].wd != wd)
			continue;
		log_warn(LOG_CONFIG, "the folder of %s is gone, or is another one now: looked for every second",
			watch->list[i].path);
		watch->list[i].wd = -1;
	}
	look_for_what_is_missing(watch);
}

static void read_again_soon(struct watch *watch)
{
	struct timeval settle = {.tv_usec = SETTLE_MS * 1000};
	event_add(watch->settled, &settle);
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
			/* It has another name now, and what has its name is another folder. IN_IGNORED follows. */
			if (event->mask & IN_MOVE_SELF)
				inotify_rm_watch(watch->inotify, event->wd);
			if (event->mask & IN_IGNORED)
				folder_is_gone(watch, event->wd);
		}
	}
	if (ours)
		read_again_soon(watch);
}

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct watch *watch = context;
	/* Who writes it has only begun. */
	if (size_of(watch->file) == 0)
		log_info(LOG_CONFIG, "%s: is empty, and is ignored", watch->file);
	else
		server_reload(watch->server, "a watched folder changed");
}

static int watch_folder(const struct watch *watch, const char *file)
{
	char folder[PATH_MAX];
	size_t length = (size_t)(name_of(file) - file);
	if (length >= sizeof folder)
		return -ENAMETOOLONG;
	memcpy(folder, file, length);
	folder[length] = '\0';
	uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVE_SELF | IN_ONLYDIR;
	int wd = inotify_add_watch(watch->inotify, length == 0 ? "." : folder, mask);
	return wd < 0 ? -errno : wd;
}

struct file_list {
	struct watched *list;
	size_t count;
	bool complete;
	bool again; /* what cannot be watched has been told before */
};

static void add_file(struct watch *watch, struct file_list *files, const char *path)
{
	if (path == NULL)
		return;
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->list[i].path, path) == 0)
			return;
	struct watched *list = realloc(files->list, (files->count + 1) * sizeof *list);
	char *copy = strdup(path);
	if (list != NULL)
		files->list = list;
	if (list == NULL || copy == NULL) {
		files->complete = false;
		free(copy);
		return;
	}
	int wd = watch_folder(watch, path);
	if (wd < 0 && !files->again && !(path == watch->file && watch->server->options->awaits))
		log_warn(LOG_CONFIG, "%s: cannot watch its folder: %s: tried again every second; until then changes take a SIGHUP",
			path, strerror(-wd));
	else if (wd >= 0 && files->again && !has_wd(watch->list, watch->count, wd))
		log_info(LOG_CONFIG, "%s: its folder is watched again", path);
	list[files->count++] = (struct watched){copy, wd < 0 ? -1 : wd};
}

static void free_list(struct watched *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].path);
	free(list);
}

/* New folders are watched before old ones are let go, so that no change falls in between. True: there are new ones. */
static bool watch_files(struct watch *watch, const struct config *config, bool again)
{
	struct file_list files = {.complete = true, .again = again};
	add_file(watch, &files, watch->file);
	for (size_t i = 0; config != NULL && i < config->listener_count; i++) {
		const struct config_identities *identities = config->listeners[i].identities;
		for (size_t n = 0; identities != NULL && n < identities->count; n++) {
			add_file(watch, &files, identities->list[n].certificates.file);
			add_file(watch, &files, identities->list[n].key.file);
		}
	}
	if (!files.complete)
		log_warn(LOG_CONFIG, "not enough memory to watch all files: changes take a SIGHUP");
	struct watched *old = watch->list;
	size_t old_count = watch->count;
	watch->list = files.list;
	watch->count = files.count;
	bool news = false;
	for (size_t i = 0; i < files.count; i++)
		news |= files.list[i].wd >= 0 && !has_wd(old, old_count, files.list[i].wd);
	for (size_t i = 0; i < old_count; i++)
		if (old[i].wd >= 0 && !has_wd(files.list, files.count, old[i].wd))
			inotify_rm_watch(watch->inotify, old[i].wd);
	free_list(old, old_count);
	return news;
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct watch *watch = context;
	bool news = some_folder_is_not_watched(watch) && watch_files(watch, watch->server->config, true);
	bool missing = is_missing(watch), came = watch->awaited && !missing;
	watch->awaited &= missing;
	if (!watch->awaited && !some_folder_is_not_watched(watch))
		event_del(watch->look);
	if (came || (news && !missing))
		read_again_soon(watch);
}

struct watch *watch_start(struct server *server, const char *file)
{
	struct watch *watch = calloc(1, sizeof *watch);
	int inotify = watch == NULL ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (inotify < 0) {
		log_warn(LOG_CONFIG, "%s: cannot be watched: %s: changes take a SIGHUP", file, strerror(errno));
		free(watch);
		return NULL;
	}
	watch->server = server;
	watch->file = file;
	watch->inotify = inotify;
	watch->changed = event_new(server->events, inotify, EV_READ | EV_PERSIST, on_changed, watch);
	watch->settled = event_new(server->events, -1, 0, on_settled, watch);
	watch->look = event_new(server->events, -1, EV_PERSIST, on_look, watch);
	if (watch->changed == NULL || watch->settled == NULL || watch->look == NULL || event_add(watch->changed, NULL) != 0) {
		watch_stop(watch);
		return NULL;
	}
	watch_files(watch, server->config, false);
	look_for_what_is_missing(watch);
	return watch;
}

void watch_update(struct watch *watch)
{
	if (watch == NULL)
		return;
	/* What has changed in a new folder since its files were read would go unnoticed. */
	if (watch_files(watch, watch->server->config, false))
		read_again_soon(watch);
	look_for_what_is_missing(watch);
}

void watch_stop(struct watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->changed != NULL)
		event_free(watch->changed);
	if (watch->settled != NULL)
		event_free(watch->settled);
	if (watch->look != NULL)
		event_free(watch->look);
	close(watch->inotify);
	free_list(watch->list, watch->count);
	free(watch);
}
