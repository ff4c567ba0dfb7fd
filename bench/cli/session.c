#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/compare.h"
#include "crypto/random.h"
#include "interrupt.h"
#include "report/document.h"

int failure_print(const struct failure *failure)
{
	fprintf(stderr, "uturn-bench: %s\n", failure->text);
	return EXIT_FAILED;
}

bool output_possible(const char *path, struct failure *failure)
{
	if (strcmp(path, "-") == 0)
		return true;
	/* The document replaces what is there by a rename, which must not happen to a device or a folder. */
	struct stat there;
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return fail(failure, "%s: not a plain file; name another one, or use --json for standard output", path);
	char probe[4096];
	int size = snprintf(probe, sizeof probe, "%s.XXXXXX", path);
	if (size < 0 || (size_t)size >= sizeof probe)
		return fail(failure, "%.60s…: the path is too long", path);
	int fd = mkostemp(probe, O_CLOEXEC);
	if (fd < 0)
		return fail(failure, "%s: cannot be written: %s", path, strerror(errno));
	close(fd);
	unlink(probe);
	return true;
}

static void on_signal(int number)
{
	(void)number;
	interrupt_request();
}

static void signals_take(void)
{
	const struct sigaction end = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	/* A reader that left is an error of the last write, not the end of a process that has servers to stop. */
	sigaction(SIGPIPE, &ignore, NULL);
}

static uint64_t seed_choose(uint64_t given)
{
	if (given)
		return given;
	struct random_source source = {0};
	uint32_t seed;
	random_bytes(&source, &seed, sizeof seed);
	return seed ? seed : 1;
}

/* Whether a word of the command line gives a secret away, alone or behind an option's '='. */
static bool tells(const char *word, const char *secret)
{
	const char *equals = word[0] == '-' ? strchr(word, '=') : NULL;
	return secret && (strcmp(word, secret) == 0 || (equals && strcmp(equals + 1, secret) == 0) ||
				 (word[0] == '-' && word[1] == KEY_PASSWORD && strcmp(word + 2, secret) == 0));
}

/* A document is made to be shown to others. */
static json_t *document_begin(const struct run *run, uint64_t seed)
{
	char **words = calloc((size_t)run->argc + 1, sizeof *words);
	if (!words)
		return NULL;
	static char hidden[] = "***";
	for (int i = 0; i < run->argc; i++) {
		bool secret = i > 0 && (tells(run->argv[i], run->options.password) || tells(run->argv[i], run->options.secret));
		words[i] = secret ? hidden : run->argv[i];
	}
	json_t *document = document_new(run->argc, words, seed);
	free(words);
	return document;
}

bool session_begin(struct session *s, const struct run *run)
{
	*s = (struct session){.options = &run->options, .seed = seed_choose(run->options.seed)};
	if (run->options.output && !output_possible(run->options.output, &s->failure))
		return false;
	s->document = document_begin(run, s->seed);
	if (!s->document)
		return fail(&s->failure, "out of memory");
	signals_take();
	progress_begin(&s->progress, run->options.quiet);
	return true;
}

bool session_add(struct session *s, json_t *result)
{
	if (!result || json_array_append_new(json_object_get(s->document, "results"), result) != 0)
		return fail(&s->failure, "out of memory");
	return true;
}

static void text_print(const json_t *document)
{
	const json_t *results = json_object_get(document, "results"), *comparisons = json_object_get(document, "comparisons");
	for (size_t i = 0; i < json_array_size(results); i++)
		document_print(json_array_get(results, i), stdout);
	if (json_array_size(comparisons) > 0)
		compare_print(comparisons, stdout);
	if (interrupt_requested())
		puts("interrupted: this is what was measured until then");
}

static bool result_write(struct session *s)
{
	const struct options *o = s->options;
	bool to_stdout = o->json || (o->output && strcmp(o->output, "-") == 0);
	if (o->output && strcmp(o->output, "-") != 0 && !document_write(s->document, o->output, &s->failure))
		return false;
	if (to_stdout)
		return document_write(s->document, "-", &s->failure);
	if (!o->quiet)
		text_print(s->document);
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(&s->failure, "standard output: %s", strerror(errno));
	return true;
}

int session_end(struct session *s, bool good)
{
	progress_clear(&s->progress);
	struct failure failure = s->failure;
	bool write = good || s->partial, wrote = write && result_write(s);
	if (!good)
		failure_print(&failure);
	if (write && !wrote)
		failure_print(&s->failure);
	json_decref(s->document);
	if (good && !wrote)
		return EXIT_FAILED;
	return interrupt_requested() ? EXIT_INTERRUPTED : good ? EXIT_GOOD : EXIT_FAILED;
}
