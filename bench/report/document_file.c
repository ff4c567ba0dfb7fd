#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "document_parts.h"
#include "report/document.h"

/* Twelve digits: more than any figure here has, and short enough to be read. */
static const size_t dump_flags = JSON_INDENT(1) | JSON_REAL_PRECISION(12);

/* 0, or the errno of the first thing that went wrong. Closes the file, unless it is the standard output. */
static int dump(const json_t *document, FILE *file, bool to_disk)
{
	errno = 0;
	bool good = json_dumpf(document, file, dump_flags) == 0 && fputc('\n', file) != EOF && fflush(file) == 0;
	good = good && (!to_disk || fsync(fileno(file)) == 0);
	int error = good ? 0 : errno != 0 ? errno : EIO;
	if (file != stdout && fclose(file) != 0 && error == 0)
		error = errno;
	return error;
}

/* mkstemp lets nobody else read; a result is as any other new file, or as the one that it replaces. */
static mode_t mode_wanted(const struct stat *existing)
{
	if (existing != NULL)
		return existing->st_mode & 0777;
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* 0 or an errno. Nothing is left behind where it fails. */
static int write_beside(const json_t *document, const char *path, mode_t mode)
{
	char *temporary;
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return ENOMEM;
	int fd = mkstemp(temporary), error = fd < 0 ? errno : 0;
	if (fd >= 0) {
		FILE *file = fchmod(fd, mode) == 0 ? fdopen(fd, "w") : NULL;
		error = file == NULL ? errno : dump(document, file, true);
		if (file == NULL)
			close(fd);
		if (error == 0 && rename(temporary, path) != 0)
			error = errno;
		if (error != 0)
			unlink(temporary);
	}
	free(temporary);
	return error;
}

static int write_through(const json_t *document, const char *path)
{
	FILE *file = fopen(path, "we");
	return file == NULL ? errno : dump(document, file, false);
}

bool document_write(const json_t *document, const char *path, struct failure *failure)
{
	if (strcmp(path, "-") == 0) {
		int error = dump(document, stdout, false);
		return error == 0 ? true : fail(failure, "standard output: the result cannot be written: %s", strerror(error));
	}
	struct stat existing;
	bool exists = stat(path, &existing) == 0;
	int error;
	if (exists && S_ISDIR(existing.st_mode)) {
		error = EISDIR;
	} else if (exists && !S_ISREG(existing.st_mode)) {
		error = write_through(document, path);
	} else {
		char *real = exists ? realpath(path, NULL) : NULL;
		error = write_beside(document, real != NULL ? real : path, mode_wanted(exists ? &existing : NULL));
		free(real);
	}
	return error == 0 ? true : fail(failure, "%s: the result cannot be written: %s", path, strerror(error));
}

/* Names of files and what stands near an error may be of any bytes: one line for people is made of them. */
static bool fail_in_one_line(struct failure *failure)
{
	for (char *c = failure->text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return false;
}

static bool check(const char *path, const json_t *document, struct failure *failure)
{
	const char *format = json_string_value(json_object_get(document, "format"));
	if (format == NULL)
		return fail(failure, "%s: not a result of uturn-bench: it does not say \"format\": \"" DOCUMENT_FORMAT "\"", path);
	if (strcmp(format, DOCUMENT_FORMAT) != 0)
		return fail(
			failure, "%s: its format is \"%.40s\", but this program reads \"" DOCUMENT_FORMAT "\" only", path, format);
	if (!json_is_array(json_object_get(document, "results")) || !json_is_array(json_object_get(document, "comparisons")))
		return fail(failure, "%s: damaged: \"results\" and \"comparisons\" must be arrays", path);
	return true;
}

static bool load(FILE *file, const char *path, json_t **ret_document, struct failure *failure)
{
	json_error_t error;
	errno = 0;
	json_t *document = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	if (ferror(file))
		fail(failure, "%s: cannot be read: %s", path, strerror(errno));
	else if (document == NULL)
		fail(failure, "%s: not valid JSON: line %d, column %d: %s", path, error.line, error.column, error.text);
	else if (check(path, document, failure)) {
		*ret_document = document;
		return true;
	}
	json_decref(document);
	return fail_in_one_line(failure);
}

bool document_read(const char *path, json_t **ret_document, struct failure *failure)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fail(failure, "%s: cannot be read: %s", path, strerror(errno));
	bool good = load(file, path, ret_document, failure);
	fclose(file);
	return good;
}
