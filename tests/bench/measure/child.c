#include "child.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct lane {
	int read_fd, write_fd;
	void (*work)(void);
};

/* Ends with the test, whatever becomes of it: the pipe is closed then. */
static void *serve(void *context)
{
	const struct lane *lane = context;
	char byte;
	while (read(lane->read_fd, &byte, 1) == 1) {
		lane->work();
		if (write(lane->write_fd, &byte, 1) != 1)
			break;
	}
	return NULL;
}

struct child child_start(void (*work)(void))
{
	int to[2], from[2];
	cr_assert_eq(pipe(to), 0);
	cr_assert_eq(pipe(from), 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		static struct lane lane;
		lane = (struct lane){.read_fd = to[0], .write_fd = from[1], .work = work};
		pthread_t second;
		if (pthread_create(&second, NULL, serve, &lane) != 0)
			_exit(1);
		char ready = 'r';
		if (write(from[1], &ready, 1) != 1)
			_exit(1);
		serve(&lane);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	struct child child = {.pid = pid, .to_fd = to[1], .from_fd = from[0]};
	char byte;
	cr_assert_eq(read(child.from_fd, &byte, 1), 1);
	return child;
}

/* Either thread may take either byte: `work` is called twice in all. */
void child_work(const struct child *child)
{
	cr_assert_eq(write(child->to_fd, "12", 2), 2);
	char byte;
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(read(child->from_fd, &byte, 1), 1);
}

void child_kill(const struct child *child)
{
	siginfo_t info;
	cr_assert_eq(kill(child->pid, SIGKILL), 0);
	cr_assert_eq(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

void child_reap(const struct child *child)
{
	cr_assert_eq(waitpid(child->pid, NULL, 0), child->pid);
	close(child->to_fd);
	close(child->from_fd);
}
