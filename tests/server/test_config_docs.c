/* docs/CONFIGURATION.md names every field that there is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/config_cluster.h"
#include "server/config_listener.h"
#include "server/config_schema.h"

static char *read_page(void)
{
	FILE *file = fopen(UTURN_SOURCE_ROOT "/docs/CONFIGURATION.md", "re");
	char *page = calloc(1, 1 << 20);
	cr_assert_not_null(file);
	cr_assert_not_null(page);
	size_t size = fread(page, 1, (1 << 20) - 1, file);
	cr_assert_gt(size, 0);
	fclose(file);
	return page;
}

static unsigned count;

static void expect_fields(const char *page, const char *prefix, const struct config_field *fields)
{
	for (const struct config_field *f = fields; f->name; f++) {
		char path[128], quoted[132];
		snprintf(path, sizeof path, "%s%s", prefix, f->name);
		snprintf(quoted, sizeof quoted, "`%s`", path);
		bool alias = f->dialects == IN_V1ALPHA1 && strncmp(prefix, "listeners", 9) == 0;
		if (f->fields == NULL && !alias)
			cr_assert_not_null(strstr(page, quoted), "%s is not documented", path);
		snprintf(path, sizeof path, "%s%s.", prefix, f->name);
		if (f->fields)
			expect_fields(page, path, f->fields);
		count++;
	}
}

Test(config_docs, name_every_field)
{
	char *page = read_page();
	expect_fields(page, "", config_schema);
	expect_fields(page, "listeners[].", config_schema_listener);
	expect_fields(page, "clusters[].", config_schema_cluster);
	cr_assert_gt(count, 50);
	free(page);
}
