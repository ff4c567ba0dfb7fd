#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/page.h"

static bool documents_check(const json_t *documents, struct failure *failure)
{
	size_t count = json_array_size(documents);
	if (count == 0)
		return fail(failure, "no document to report: name at least one file that uturn-bench has written with --output");
	for (size_t i = 0; i < count; i++) {
		const json_t *document = json_array_get(documents, i);
		size_t results = json_array_size(json_object_get(document, "results"));
		size_t comparisons = json_array_size(json_object_get(document, "comparisons"));
		if (results + comparisons == 0)
			return fail(failure, "document %zu of %zu has no results, so there is nothing to report; leave it out",
				i + 1, count);
	}
	return true;
}

/*
 * In JSON '<' stands inside strings only, where its escape means the same. Without it no text of a document can end the script
 * element that holds it, or open a comment in it.
 */
static int data_write(const char *text, size_t length, void *context)
{
	FILE *out = context;
	while (length > 0) {
		const char *found = memchr(text, '<', length);
		size_t plain = found ? (size_t)(found - text) : length;
		if (fwrite(text, 1, plain, out) != plain || (found && fputs("\\u003c", out) == EOF))
			return -1;
		text += plain + (found != NULL);
		length -= plain + (found != NULL);
	}
	return 0;
}

static bool page_write(const json_t *documents, FILE *out)
{
	return fwrite(report_page_head, 1, report_page_head_bytes, out) == report_page_head_bytes &&
	       json_dump_callback(documents, data_write, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
	       fwrite(report_page_tail, 1, report_page_tail_bytes, out) == report_page_tail_bytes && fflush(out) == 0;
}

/* Renaming onto a device would replace it. */
static bool path_check(const char *path, struct failure *failure)
{
	struct stat status;
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return fail(failure, "%s: is not a regular file; name a file for the page", path);
	return true;
}

static bool file_write(const json_t *documents, const char *path, const char *temporary, struct failure *failure)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail(failure, "%s: cannot be created: %s", temporary, strerror(errno));
	FILE *out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(temporary);
		return fail(failure, "%s: %s", temporary, strerror(ENOMEM));
	}
	errno = 0;
	bool written = page_write(documents, out);
	int error = errno;
	if (fclose(out) != 0 && written) {
		written = false;
		error = errno;
	}
	if (written && rename(temporary, path) == 0)
		return true;
	if (written)
		error = errno;
	unlink(temporary);
	return fail(failure, "%s: cannot be written: %s", path, error ? strerror(error) : "the documents are not valid JSON");
}

bool report_write(const json_t *documents, const char *path, struct failure *failure)
{
	char *temporary;
	if (!documents_check(documents, failure) || !path_check(path, failure))
		return false;
	if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
		return fail(failure, "%s: %s", path, strerror(ENOMEM));
	bool written = file_write(documents, path, temporary, failure);
	free(temporary);
	return written;
}
