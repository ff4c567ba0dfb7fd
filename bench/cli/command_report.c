#include <jansson.h>
#include <string.h>

#include "cli/commands.h"
#include "report/document.h"
#include "report/report.h"

enum { DOCUMENTS_MAX = 256 };

static const struct argp_option options[] = {
	{"output", KEY_OUTPUT, "FILE", 0, "The page, as in bench.html", 0},
	{"quiet", KEY_QUIET, NULL, 0, "Do not say what was written", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{"version", KEY_VERSION, NULL, 0, "Show the version and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const char documentation[] = "Makes one HTML page with plots from JSON documents that the other commands wrote with "
				    "--output. The page needs nothing beside itself."
				    "\v"
				    "Example:\n"
				    "  uturn-bench report before.json after.json -o bench.html";

static const struct argp argp = {options, options_parse_root, "FILE...", documentation, NULL, NULL, NULL};

static bool documents_read(const struct options *o, json_t *documents, struct failure *failure)
{
	for (unsigned i = 0; i < o->argument_count; i++) {
		json_t *document;
		if (!document_read(o->arguments[i], &document, failure))
			return false;
		if (json_array_append_new(documents, document) != 0)
			return fail(failure, "out of memory");
	}
	return true;
}

static int execute(const struct run *run)
{
	const struct options *o = &run->options;
	struct failure failure;
	if (!o->output || strcmp(o->output, "-") == 0)
		return usage_error(run->name, "--output", "it is missing: name the page's file");
	json_t *documents = json_array();
	bool good = output_possible(o->output, &failure) && documents_read(o, documents, &failure) &&
		    report_write(documents, o->output, &failure);
	json_decref(documents);
	if (!good)
		return failure_print(&failure);
	if (!o->quiet)
		printf("%s\n", o->output);
	return EXIT_GOOD;
}

const struct command command_report = {
	.name = "report",
	.shape = {.argp = &argp, .arguments_min = 1, .arguments_max = DOCUMENTS_MAX, .arguments_missing = "no document"},
	.execute = execute,
};
