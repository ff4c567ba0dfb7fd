#include "pem_files.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tls/context.h"

static char folder[64];

const char *pem_files_open(void)
{
	strcpy(folder, "/tmp/uturn-pem-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	return folder;
}

void pem_files_close(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	cr_assert_eq(system(command), 0);
}

const char *pem_files_put(const char *name, const char *text)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	fclose(file);
	return path;
}

struct pem_pair pem_pair(const char *name, long days_from_now)
{
	enum { DAYS = 30 };
	struct pem_pair pair;
	/* Its end is what the test wants, so its beginning may lie in the past. */
	uint64_t from_s = clock_now().wall_s + (uint64_t)((days_from_now - DAYS) * 86400);
	cr_assert(tls_self_signed(name, from_s, DAYS, &pair.certificate, &pair.key));
	return pair;
}

void pem_pair_free(struct pem_pair *pair)
{
	free(pair->certificate);
	free(pair->key);
}
