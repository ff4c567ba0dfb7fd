/*
 * lockdown_files - no file is written, made or run any more. Where a reload may name other folders than the start did, all can be
 * read; where not (strict), those that a reload may need: by folder, because editors and volumes of Kubernetes replace files, and
 * by where links lead, because Landlock judges the file itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "lockdown_private.h"
#include "server/config_env.h"

/* linux/landlock.h, of which Debian 12 has an old one. */
struct ruleset {
	uint64_t files, net, scopes;
};
struct path_beneath {
	uint64_t allowed;
	int fd;
} __attribute__((packed));
enum {
	GET_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	READ_FILE = 1 << 2,
	READ_FOLDER = 1 << 3,
	/* Everything up to LANDLOCK_ACCESS_FS_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV. */
	ACCESS_ABI_1 = (1 << 13) - 1,
	ACCESS_ABI_2 = (1 << 14) - 1,
	ACCESS_ABI_3 = (1 << 15) - 1,
	ACCESS_ABI_5 = (1 << 16) - 1,
	/* Abstract UNIX sockets and signals of others. */
	SCOPES_ABI_6 = 3,
};

/* What libraries, the operator's questions and our own look at the machine read. Files that are links are followed to their folder:
 * /etc/resolv.conf is replaced by whoever manages it. */
static const char *const system_paths[] = {
	"/proc",
	"/sys/fs/cgroup",
	"/sys/devices/system/cpu",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
	"/etc/resolv.conf",
	"/dev/urandom",
	"/etc/ssl/certs",
	"/usr/lib/ssl",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
};

static uint64_t access_of(int abi)
{
	return abi >= 5 ? ACCESS_ABI_5 : abi >= 3 ? ACCESS_ABI_3 : abi == 2 ? ACCESS_ABI_2 : ACCESS_ABI_1;
}

/* What does not exist needs no rule. */
static bool allow(int ruleset, const char *path)
{
	struct path_beneath rule = {.fd = open(path, O_PATH | O_CLOEXEC)};
	if (rule.fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
	struct stat about;
	bool folder = fstat(rule.fd, &about) == 0 && S_ISDIR(about.st_mode);
	rule.allowed = folder ? READ_FILE | READ_FOLDER : READ_FILE;
	bool allowed = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.fd);
	return allowed;
}

/* A folder that is not there yet may come: then everything below the nearest one that is. */
static bool allow_folder_of(int ruleset, const char *file)
{
	char folder[PATH_MAX];
	if (strlen(file) >= sizeof folder)
		return false;
	strcpy(folder, file);
	do {
		char *slash = strrchr(folder, '/');
		if (slash == NULL)
			return allow(ruleset, ".");
		*slash = '\0';
	} while (folder[0] != '\0' && access(folder, F_OK) != 0 && errno == ENOENT);
	return allow(ruleset, folder[0] == '\0' ? "/" : folder);
}

/* Where it is, and where it leads to. */
static bool allow_named(int ruleset, const char *file)
{
	char target[PATH_MAX];
	if (file == NULL)
		return true;
	return allow_folder_of(ruleset, file) && (realpath(file, target) == NULL || allow_folder_of(ruleset, target));
}

static bool allow_system(int ruleset, const char *path)
{
	struct stat about;
	char target[PATH_MAX];
	bool link = lstat(path, &about) == 0 && S_ISLNK(about.st_mode);
	return allow(ruleset, path) && (!link || realpath(path, target) == NULL || allow_folder_of(ruleset, target));
}

static bool allow_identities(int ruleset, const struct config_identities *identities)
{
	bool allowed = true;
	for (size_t i = 0; identities != NULL && i < identities->count; i++)
		allowed = allowed && allow_named(ruleset, identities->list[i].certificates.file) &&
			  allow_named(ruleset, identities->list[i].key.file);
	return allowed;
}

static bool allow_all(int ruleset, const struct options *options, const struct config *config)
{
	bool allowed = allow_named(ruleset, options->file) && allow_named(ruleset, options->cds.ca_file) &&
		       allow_named(ruleset, config_env_system(NULL, "SSL_CERT_FILE"));
	for (size_t i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++)
		allowed = allowed && allow_system(ruleset, system_paths[i]);
	for (size_t i = 0; i < config->listener_count; i++)
		allowed = allowed && allow_identities(ruleset, config->listeners[i].identities);
	return allowed;
}

unsigned lockdown_files(enum lockdown_mode mode, const struct options *options, const struct config *config)
{
	bool strict = mode == LOCKDOWN_STRICT;
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);
	if (abi < 1) {
		log_info(LOG_SERVER, "files stay as they are: no Landlock here (%s)", strerrorname_np(errno));
		return 0;
	}
	struct ruleset wanted = {.files = access_of(abi), .scopes = abi >= 6 ? SCOPES_ABI_6 : 0};
	if (!strict)
		wanted.files &= ~(uint64_t)(READ_FILE | READ_FOLDER);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, sizeof wanted, 0);
	bool done = ruleset >= 0 && (!strict || allow_all(ruleset, options, config)) &&
		    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	if (!done)
		log_warn(LOG_SERVER, "files stay as they are: Landlock failed: %s", strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
	return done ? (unsigned)abi : 0;
}
