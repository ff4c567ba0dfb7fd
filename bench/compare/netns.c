#include "compare/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/process.h"

#define FOLDER "/run/netns/"
#define PREFIX "uturn-bench-"
#define DEVICE "bench0"
enum { SUBNET_BITS = 24, WORDS_MAX = 24 };

/* A command's words, separated by single spaces; none of them contains one. */
static bool run(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool run(struct failure *failure, const char *format, ...)
{
	char text[512], *words[WORDS_MAX + 1], *rest = text;
	size_t count = 0;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	while (count < WORDS_MAX && (words[count] = strsep(&rest, " ")) != NULL)
		count++;
	words[count] = NULL;
	struct failure why;
	if (process_run(words, NULL, 0, &why))
		return true;
	return fail(
		failure, "network namespaces for --netns: %.400s (needs root, and the packages iproute2 and ethtool)", why.text);
}

static void delete_quietly(const char *name)
{
	struct failure ignored;
	run(&ignored, "ip netns delete %s", name);
}

/* Namespaces of runs that were killed: their names tell the process that made them. */
static void delete_left_over(void)
{
	DIR *folder = opendir(FOLDER);
	if (folder == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		long pid = strtol(entry->d_name + strlen(PREFIX), NULL, 10);
		if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
			delete_quietly(entry->d_name);
	}
	closedir(folder);
}

static const char *name_of(const char *path)
{
	return path + strlen(FOLDER);
}

/* The veth pair: one device in each namespace, of the same name. */
static bool join(const char *server, const char *loader, struct failure *failure)
{
	return run(failure, "ip -netns %s link add " DEVICE " mtu 1500 type veth peer name " DEVICE " mtu 1500 netns %s", server,
		loader);
}

static bool configure(const char *name, const struct addr *address, struct failure *failure)
{
	char ip[ADDR_TEXT_SIZE];
	addr_format_ip(address, ip);
	return run(failure, "ip -netns %s link set lo up", name) &&
	       run(failure, "ip -netns %s address add %s/%d dev " DEVICE, name, ip, SUBNET_BITS) &&
	       run(failure, "ip -netns %s link set " DEVICE " up", name);
}

static bool make(const struct netns_pair *pair, struct failure *failure)
{
	const char *server = name_of(pair->server_path), *loader = name_of(pair->loader_path);
	return run(failure, "ip netns add %s", server) && run(failure, "ip netns add %s", loader) &&
	       join(server, loader, failure) && configure(server, &pair->server, failure) &&
	       configure(loader, &pair->loader, failure) && run(failure, "ip netns exec %s ethtool -K " DEVICE " gro on", server);
}

static bool enter(const char *path, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool entered = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	return entered || fail(failure, "cannot enter the network namespace %s: %s", path, strerror(error));
}

bool netns_create(struct netns_pair *ret_pair, struct failure *failure)
{
	struct netns_pair pair = {
		.server = addr_ipv4(198, 18, 0, 1, 0),
		.loader = addr_ipv4(198, 18, 0, 2, 0),
	};
	long pid = getpid();
	snprintf(pair.server_path, sizeof pair.server_path, FOLDER PREFIX "%ld-server", pid);
	snprintf(pair.loader_path, sizeof pair.loader_path, FOLDER PREFIX "%ld-loader", pid);
	pair.home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (pair.home_fd < 0)
		return fail(failure, "cannot open this network namespace: %s", strerror(errno));
	delete_left_over();
	if (!make(&pair, failure) || !enter(pair.loader_path, failure)) {
		netns_remove(&pair);
		return false;
	}
	*ret_pair = pair;
	return true;
}

void netns_remove(struct netns_pair *pair)
{
	if (pair->server_path[0] == '\0')
		return;
	if (setns(pair->home_fd, CLONE_NEWNET) == 0) {
		delete_quietly(name_of(pair->server_path));
		delete_quietly(name_of(pair->loader_path));
	}
	close(pair->home_fd);
	*pair = (struct netns_pair){.home_fd = -1};
}
