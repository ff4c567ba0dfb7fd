#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "config_rig.h"
#include "server/options.h"

static char out_text[8192], err_text[1024];

/* `line` is split at spaces. */
static struct options parse(const char *line)
{
	static char copy[512];
	static char *argv[32];
	int argc = 0;
	char *rest = NULL;
	snprintf(copy, sizeof copy, "uturn %s", line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	memset(out_text, 0, sizeof out_text);
	memset(err_text, 0, sizeof err_text);
	FILE *out = fmemopen(out_text, sizeof out_text - 1, "w"), *err = fmemopen(err_text, sizeof err_text - 1, "w");
	struct options options = options_parse(argc, argv, out, err);
	fclose(out);
	fclose(err);
	return options;
}

Test(options, run_the_embedded_default_when_there_are_none)
{
	struct options o = parse("");
	cr_assert_eq(o.action, OPTIONS_RUN);
	cr_assert_null(o.file);
	cr_assert_null(o.uri);
	cr_assert_null(o.loglevel);
	cr_assert_not(o.engine_given || o.shards_given || o.drain_timeout_given || o.log_format_given);
}

Test(options, read_everything_there_is)
{
	struct options o =
		parse("--engine epoll --shards 4 --drain-timeout=7 -w -l all:WARN --log-format JSON -c file:///etc/u.json");
	cr_assert_eq(o.action, OPTIONS_RUN, "%s", err_text);
	cr_assert_str_eq(o.file, "/etc/u.json");
	cr_assert(o.engine_given && o.shards_given && o.drain_timeout_given && o.log_format_given);
	cr_assert_eq(o.engine, ENGINE_EPOLL);
	cr_assert_eq(o.shards, 4);
	cr_assert_eq(o.drain_timeout_s, 7);
	cr_assert_eq(o.log_format, LOG_JSON);
	cr_assert_str_eq(o.loglevel, "all:WARN");
	cr_assert_str_eq(parse("--config=u.json").file, "u.json");
	cr_assert_str_eq(parse("-v").loglevel, "all:DEBUG");
	cr_assert_str_eq(parse("turn://u:p@h").uri, "turn://u:p@h");
	cr_assert_eq(parse("-c u.json --check").action, OPTIONS_CHECK);
	cr_assert_eq(parse("-d -c u.json").action, OPTIONS_DRY_RUN);
	cr_assert_eq(parse("--dry-run").action, OPTIONS_DRY_RUN);
}

Test(options, help_and_version_leave_with_status_0)
{
	struct options o = parse("--help");
	cr_assert_eq(o.action, OPTIONS_LEAVE);
	cr_assert_eq(o.status, 0);
	cr_assert_not_null(strstr(out_text, "Usage: uturn [OPTION...]"), "%s", out_text);
	cr_assert_not_null(strstr(out_text, "Examples:"));
	cr_assert_not_null(strstr(out_text, "--drain-timeout"));
	cr_assert_str_eq(err_text, "");
	cr_assert_eq(parse("-h").status, 0);
	o = parse("--version");
	cr_assert_eq(o.action, OPTIONS_LEAVE);
	cr_assert_eq(o.status, 0);
	cr_assert_str_eq(out_text, "uturn " UTURN_VERSION "\n");
}

Test(options, say_in_one_line_what_is_wrong_and_leave_with_status_2)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"--bogus", "uturn: --bogus: unknown option, or its value is missing (see uturn --help)\n"},
		{"-x", "uturn: -x: unknown option, or its value is missing (see uturn --help)\n"},
		{"-c", "uturn: -c: unknown option, or its value is missing (see uturn --help)\n"},
		{"--bogus --check --help", "uturn: --bogus: unknown option, or its value is missing (see uturn --help)\n"},
		{"-c http://cds:13478", "uturn: http://cds:13478: this version reads configurations from files only: use a path or "
					"file://path (see uturn --help)\n"},
		{"-c k8s", "uturn: k8s: this version reads configurations from files only: use a path or file://path (see uturn "
			   "--help)\n"},
		{"-c file://", "uturn: --config: no path: use a path or file://path (see uturn --help)\n"},
		{"--engine kqueue", "uturn: kqueue: no such engine: use auto, io_uring or epoll (see uturn --help)\n"},
		{"--shards 65", "uturn: 65: not a number of shards: use 0 to 64 (see uturn --help)\n"},
		{"--shards -1", "uturn: -1: not a number of shards: use 0 to 64 (see uturn --help)\n"},
		{"--drain-timeout 1h", "uturn: 1h: not a time-out: use 0 to 604800 seconds (see uturn --help)\n"},
		{"--log-format xml", "uturn: xml: no such log format: use text or json (see uturn --help)\n"},
		{"-l loud", "uturn: loud: not a list of scope:LEVEL: use one like all:INFO,turn:DEBUG (see uturn --help)\n"},
		{"u.json", "uturn: u.json: not a turn: URI: use turn://user:password@address:port?transport=udp, or -c FILE for a "
			   "file (see uturn --help)\n"},
		{"turn:a turn:b", "uturn: turn:b: one argument too many: use one URI (see uturn --help)\n"},
		{"-c u.json turn:a", "uturn: u.json: a file and a URI at once: use one of them (see uturn --help)\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct options o = parse(cases[i].line);
		cr_assert_eq(o.action, OPTIONS_LEAVE, "%s", cases[i].line);
		cr_assert_eq(o.status, 2, "%s", cases[i].line);
		cr_assert_str_eq(err_text, cases[i].error);
		cr_assert_str_eq(out_text, "");
	}
}

Test(options, win_over_the_configuration)
{
	struct config_rig rig;
	struct config_problems problems = {0};
	config_rig_init(&rig, NULL);
	struct options o =
		parse("turn://u:p@0.0.0.0:9 --engine io_uring --shards 3 --drain-timeout 0 -l all:ERROR --log-format json");
	struct config *c = options_load(&o, &rig.world, &problems);
	cr_assert_not_null(c);
	cr_assert_eq(c->dialect, CONFIG_URI);
	cr_assert_eq(c->listeners[0].port, 9);
	cr_assert_eq(c->admin.engine, ENGINE_IO_URING);
	cr_assert_eq(c->admin.shards, 3);
	cr_assert_eq(c->admin.drain_timeout_s, 0);
	cr_assert_str_eq(c->admin.loglevel, "all:ERROR");
	cr_assert_eq(c->admin.log_format, LOG_JSON);
	config_free(c);
	o = parse("");
	c = options_load(&o, &rig.world, &problems);
	cr_assert_eq(c->dialect, CONFIG_EMBEDDED);
	cr_assert_str_eq(c->admin.loglevel, "all:INFO");
	cr_assert_eq(c->admin.drain_timeout_s, 3600);
	config_free(c);
	o = parse("-c /nonexistent");
	cr_assert_null(options_load(&o, &rig.world, &problems));
}
