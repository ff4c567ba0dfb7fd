#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_DEFAULT = 80 };

void progress_begin(struct progress *p, bool quiet)
{
	const char *terminal = getenv("TERM");
	p->on = !quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
	struct winsize window;
	p->columns = COLUMNS_DEFAULT;
	if (p->on && ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		p->columns = window.ws_col;
}

static size_t append(char *line, size_t size, size_t used, const char *format, ...) __attribute__((format(printf, 4, 5)));
static size_t append(char *line, size_t size, size_t used, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int wrote = vsnprintf(line + used, size - used, format, arguments);
	va_end(arguments);
	size_t left = size - 1 - used;
	return wrote < 0 ? used : used + ((size_t)wrote < left ? (size_t)wrote : left);
}

/* The phase stands last: on a narrow terminal it is what can be missed. */
size_t progress_format(const struct load_progress *now, char *line, size_t size)
{
	double rate = now->delivered_per_s;
	size_t used = 0;
	line[0] = '\0';
	if (now->total_s > 0)
		used = append(line, size, used, "%5.1f/%.1f s   ", now->elapsed_s, now->total_s);
	if (now->sent > 0) {
		uint64_t missing = now->sent > now->delivered ? now->sent - now->delivered : 0;
		used = append(line, size, used, rate < 1e6 ? "%.1f k/s   " : "%.2f M/s   ", rate / (rate < 1e6 ? 1e3 : 1e6));
		used = append(line, size, used, "loss %.2f %%   ", 100.0 * (double)missing / (double)now->sent);
		used = append(line, size, used, "p99 %.2f ms   ", (double)now->latency_p99_ns / 1e6);
	}
	return append(line, size, used, "%s", now->phase);
}

void progress_show(void *context, const struct load_progress *now)
{
	const struct progress *p = context;
	if (!p->on)
		return;
	char line[256];
	size_t length = progress_format(now, line, sizeof line);
	/* A line that wraps cannot be rewritten in place. */
	if (length >= p->columns)
		length = p->columns - 1;
	fprintf(stderr, "\r%.*s\033[K", (int)length, line);
	fflush(stderr);
}

void progress_clear(const struct progress *p)
{
	if (p->on)
		fputs("\r\033[K", stderr);
}
