/* noring ERRNO PROGRAM ARGUMENTS… - runs a program for which io_uring is forbidden, as container runtimes do. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int forbid(scmp_filter_ctx filter, int error)
{
	static const char *const names[] = {"io_uring_setup", "io_uring_enter", "io_uring_register"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0);
		if (result != 0)
			return result;
	}
	return seccomp_load(filter);
}

int main(int argc, char **argv)
{
	if (argc < 3 || (strcmp(argv[1], "EPERM") != 0 && strcmp(argv[1], "ENOSYS") != 0)) {
		fprintf(stderr, "usage: noring EPERM|ENOSYS PROGRAM ARGUMENTS...\n");
		return 2;
	}
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (filter == NULL || forbid(filter, strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS) != 0) {
		fprintf(stderr, "noring: cannot set the filter\n");
		return 1;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
