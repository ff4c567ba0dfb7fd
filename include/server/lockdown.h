/*
 * lockdown - what the process gives up, so that whoever takes it over gets little: privileges and files before its threads start,
 * system calls once everything is open. What it needs later (a reload, a live listener, a name to resolve) stays allowed.
 *
 *	lockdown_begin    capabilities, no_new_privs, and files only for reading (Landlock); threads inherit all three
 *	lockdown_end      a list of system calls (seccomp), for every thread that there is; without io_uring_setup, so that no ring
 *	                  can be made which is not restricted as the engine's are (src/io/ring.c)
 *
 * What the kernel or a container's own profile does not allow is left out, said in the log, and missing from the report: never a
 * reason not to relay.
 */
#ifndef UTURN_SERVER_LOCKDOWN_H
#define UTURN_SERVER_LOCKDOWN_H

#include <stdint.h>

#include "server/options.h"

enum { LOCKDOWN_CAPABILITIES_SIZE = 96 };

/* What is in force. */
struct lockdown {
	enum lockdown_mode mode;
	bool no_new_privileges;
	char capabilities[LOCKDOWN_CAPABILITIES_SIZE]; /* "none", or the names of those that are left */
	unsigned landlock;                             /* its ABI; 0: not in force */
	unsigned system_calls;                         /* how many are allowed; 0: they are not filtered */
};

/* Before the first thread. Strict: the files that options and configuration name stay readable, with all that lies in their
 * folders. */
void lockdown_begin(
	enum lockdown_mode mode, const struct options *options, const struct config *config, struct lockdown *ret_lockdown);

/* When everything is open that the start opens. `io_uring`: there are rings to be entered. */
void lockdown_end(struct lockdown *lockdown, bool io_uring);

/* Problems that the lockdown may be the reason for, after a reload: one more line in the log. */
void lockdown_explain(const struct lockdown *lockdown, const struct config_problems *problems);

#endif
