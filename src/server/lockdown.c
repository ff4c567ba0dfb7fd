#include "server/lockdown.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "lockdown_private.h"

/* What is of use after the start: listeners below port 1024, buffers beyond net.core.rmem_max (and memory of rings beyond
 * RLIMIT_MEMLOCK), and certificates that other users own. */
static const struct {
	unsigned bit;
	const char *name;
} kept[] = {
	{CAP_NET_BIND_SERVICE, "NET_BIND_SERVICE"},
	{CAP_NET_ADMIN, "NET_ADMIN"},
	{CAP_IPC_LOCK, "IPC_LOCK"},
	{CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
	{CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
};

static int read_capabilities(struct __user_cap_data_struct ret_data[static _LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	return (int)syscall(SYS_capget, &header, ret_data);
}

static uint64_t useful_capabilities(uint64_t held)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		mask |= UINT64_C(1) << kept[i].bit;
	/* Reading will do; the stronger one stays where a container has that alone. */
	if (held & UINT64_C(1) << CAP_DAC_READ_SEARCH)
		mask &= ~(UINT64_C(1) << CAP_DAC_OVERRIDE);
	return held & mask;
}

static void name_capabilities(uint64_t held, char ret_text[static LOCKDOWN_CAPABILITIES_SIZE])
{
	size_t used = 0;
	snprintf(ret_text, LOCKDOWN_CAPABILITIES_SIZE, "none");
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		if (held & UINT64_C(1) << kept[i].bit)
			used += (size_t)snprintf(
				ret_text + used, LOCKDOWN_CAPABILITIES_SIZE - used, "%s%s", used > 0 ? ", " : "", kept[i].name);
}

static void drop_capabilities(struct lockdown *lockdown)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	snprintf(lockdown->capabilities, sizeof lockdown->capabilities, "unknown");
	if (read_capabilities(data) < 0)
		return;
	uint64_t held = data[0].permitted | (uint64_t)data[1].permitted << 32;
	uint64_t useful = useful_capabilities(held);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t half = (uint32_t)(useful >> (32 * i));
		data[i] = (struct __user_cap_data_struct){.permitted = half, .effective = data[i].effective & half};
	}
	if (syscall(SYS_capset, &header, data) < 0)
		log_warn(LOG_SERVER, "capabilities that are not needed cannot be dropped: %s", strerror(errno));
	else
		name_capabilities(useful, lockdown->capabilities);
}

void lockdown_begin(
	enum lockdown_mode mode, const struct options *options, const struct config *config, struct lockdown *ret_lockdown)
{
	*ret_lockdown = (struct lockdown){.mode = mode, .capabilities = "not dropped"};
	if (mode == LOCKDOWN_OFF) {
		log_info(LOG_SERVER, "the process is not locked down: admin.lockdown is false");
		return;
	}
	drop_capabilities(ret_lockdown);
	ret_lockdown->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	/* Landlock has no way to only log. */
	if (mode != LOCKDOWN_LOG)
		ret_lockdown->landlock = lockdown_files(mode, options, config);
}

void lockdown_end(struct lockdown *lockdown, bool io_uring)
{
	if (lockdown->mode == LOCKDOWN_OFF)
		return;
	int result = lockdown_calls(lockdown->mode, io_uring);
	if (result < 0)
		log_warn(LOG_SERVER, "system calls are not filtered: %s", strerror(-result));
	else
		lockdown->system_calls = (unsigned)result;
	char files[48] = "not restricted", calls[48] = "not restricted";
	if (lockdown->landlock > 0)
		snprintf(files, sizeof files, "read only%s (Landlock %u)",
			lockdown->mode == LOCKDOWN_STRICT ? " in some folders" : "", lockdown->landlock);
	if (lockdown->system_calls > 0)
		snprintf(calls, sizeof calls, "%u, others %s", lockdown->system_calls,
			lockdown->mode == LOCKDOWN_LOG    ? "logged"
			: lockdown->mode == LOCKDOWN_KILL ? "kill the process"
							  : "fail");
	log_info(LOG_SERVER, "locked down: system calls: %s; files: %s; capabilities: %s", calls, files, lockdown->capabilities);
}

void lockdown_explain(const struct lockdown *lockdown, const struct config_problems *problems)
{
	bool hides = lockdown->landlock > 0 && lockdown->mode == LOCKDOWN_STRICT;
	for (size_t i = 0; hides && i < problems->kept; i++) {
		if (strstr(problems->list[i].text, strerror(EACCES)) == NULL)
			continue;
		log_warn(LOG_CONFIG, "files can be read only in the folders that were named when the process started "
				     "(admin.lockdown is strict): to use another folder, restart");
		return;
	}
}
