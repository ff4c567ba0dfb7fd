/*
 * lockdown_private - the parts of server/lockdown: files by Landlock, system calls by seccomp.
 */
#ifndef UTURN_SRC_SERVER_LOCKDOWN_PRIVATE_H
#define UTURN_SRC_SERVER_LOCKDOWN_PRIVATE_H

#include "server/lockdown.h"

/* With sanitizers a process does more than its own source says. Compilers tell of them in different ways. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKDOWN_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOCKDOWN_SANITIZED 1
#endif
#endif
#ifndef LOCKDOWN_SANITIZED
#define LOCKDOWN_SANITIZED 0
#endif

/* lockdown_files.c: the ABI of the Landlock that is in force for this thread and those that it starts; 0 when there is none. */
unsigned lockdown_files(enum lockdown_mode mode, const struct options *options, const struct config *config);

/* lockdown_calls.c: how many system calls all threads of the process are left with, or a negative errno. */
int lockdown_calls(enum lockdown_mode mode, bool io_uring);

#endif
