#include <criterion/criterion.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Standard output becomes a pipe that keeps writes apart: one read gives what one write(2) wrote. */
static int read_end;

static void capture(void)
{
	int ends[2];
	cr_assert_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	cr_assert_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	read_end = ends[0];
}

TestSuite(log, .init = capture);

/* The next write, or "" when there is none. */
static const char *written(void)
{
	static char text[16384];
	ssize_t size = read(read_end, text, sizeof text - 1);
	text[size > 0 ? size : 0] = '\0';
	return text;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool match = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return match;
}

static void configure(const char *spec, enum log_format format)
{
	cr_assert(log_configure(spec, format, NULL), "%s", spec);
}

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

Test(log, writes_a_text_line_at_once)
{
	log_info(LOG_TURN, "allocation %d", 7);
	const char *line = written();
	cr_assert(matches(line, "^" TIME " INFO  turn: allocation 7\n$"), "%s", line);
	log_error(LOG_SERVER, "stop");
	line = written();
	cr_assert(matches(line, "^" TIME " ERROR uturn: stop\n$"), "%s", line);
	cr_assert_str_empty(written());
}

Test(log, writes_a_json_line_at_once)
{
	configure("all:TRACE", LOG_JSON);
	log_warn(LOG_IO, "full");
	const char *line = written();
	cr_assert(
		matches(line, "^\\{\"time\":\"" TIME "\",\"level\":\"WARN\",\"scope\":\"io\",\"msg\":\"full\"\\}\n$"), "%s", line);
	cr_assert_str_empty(written());
}

Test(log, tells_the_time_of_now)
{
	time_t now_s = time(NULL);
	log_info(LOG_TURN, "x");
	struct tm tm = {0};
	cr_assert_not_null(strptime(written(), "%Y-%m-%dT%H:%M:%S", &tm));
	cr_assert(labs(timegm(&tm) - now_s) <= 1);
}

Test(log, starts_at_info)
{
	log_debug(LOG_AUTH, "quiet");
	cr_assert_str_empty(written());
	for (enum log_scope scope = 0; scope < LOG_SCOPES; scope++) {
		cr_assert(log_enabled(scope, LOG_INFO));
		cr_assert_not(log_enabled(scope, LOG_DEBUG));
	}
}

Test(log, sets_levels_per_scope)
{
	static const struct {
		const char *spec;
		enum log_level turn, auth, server;
	} cases[] = {
		{"all:WARN,turn:DEBUG", LOG_DEBUG, LOG_WARN, LOG_WARN},
		{"turn:DEBUG,all:WARN", LOG_DEBUG, LOG_WARN, LOG_WARN},
		{"turn:trace", LOG_TRACE, LOG_INFO, LOG_INFO},
		{"TURN:Warning", LOG_WARN, LOG_INFO, LOG_INFO},
		{"all:DISABLE,uturn:ERROR", LOG_DISABLE, LOG_DISABLE, LOG_ERROR},
		{"cds-client:DEBUG,auth:ERROR", LOG_INFO, LOG_ERROR, LOG_INFO},
		{" all : ERROR , turn : INFO ", LOG_INFO, LOG_ERROR, LOG_ERROR},
		{"turn:ERROR,turn:DEBUG", LOG_DEBUG, LOG_INFO, LOG_INFO},
		{"", LOG_INFO, LOG_INFO, LOG_INFO},
		{"  ", LOG_INFO, LOG_INFO, LOG_INFO},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		configure("all:TRACE", LOG_TEXT);
		configure(cases[i].spec, LOG_TEXT);
		for (enum log_level level = LOG_ERROR; level <= LOG_TRACE; level++) {
			cr_assert_eq(log_enabled(LOG_TURN, level), level <= cases[i].turn, "%s", cases[i].spec);
			cr_assert_eq(log_enabled(LOG_AUTH, level), level <= cases[i].auth, "%s", cases[i].spec);
			cr_assert_eq(log_enabled(LOG_SERVER, level), level <= cases[i].server, "%s", cases[i].spec);
		}
		cr_assert_not(log_enabled(LOG_TURN, LOG_DISABLE));
	}
}

Test(log, refuses_a_malformed_specification_and_changes_nothing)
{
	static const struct {
		const char *spec;
		size_t bad_offset;
	} cases[] = {
		{"turn", 0},
		{"all:WARN,turn", 9},
		{"all:LOUD", 0},
		{"all:", 0},
		{":INFO", 0},
		{"all:INFO,", 9},
		{",all:INFO", 0},
		{"all:INFO,,turn:INFO", 9},
		{"all:INFO:WARN", 0},
		{"all:WARN,turn:INF", 9},
		{"unknown:LOUD", 0},
	};
	configure("all:ERROR", LOG_TEXT);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *bad = NULL;
		cr_assert_not(log_spec_valid(cases[i].spec, NULL), "%s", cases[i].spec);
		cr_assert_not(log_configure(cases[i].spec, LOG_JSON, &bad), "%s", cases[i].spec);
		cr_assert_eq(bad, cases[i].spec + cases[i].bad_offset, "%s", cases[i].spec);
	}
	cr_assert(log_spec_valid("all:DEBUG", NULL));
	cr_assert_not(log_enabled(LOG_TURN, LOG_WARN), "a check configures nothing");
	log_error(LOG_TURN, "still text");
	cr_assert_eq(written()[0], '2');
}

Test(log, no_message_can_begin_a_line_of_its_own)
{
	log_info(LOG_AUTH, "user %s", "eve\nINFO  auth: user root\r\t\x1b[2J\x7f\xc2\x9b!");
	cr_assert(matches(written(), "auth: user eve\\\\nINFO  auth: user root\\\\r\\\\t\\\\u001b\\[2J\\\\u007f\\\\u009b!\n$"));
	cr_assert_str_empty(written());
}

Test(log, escapes_for_json)
{
	static const struct {
		const char *message, *escaped;
	} cases[] = {
		{"say \"hi\"", "say \\\"hi\\\""},
		{"C:\\", "C:\\\\"},
		{"a\nb\x01", "a\\nb\\u0001"},
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\x9e", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\x9e"},
		{"\xff", "\xef\xbf\xbd"},                                                 /* never UTF-8 */
		{"a\xc3", "a\xef\xbf\xbd"},                                               /* cut off */
		{"\xc3(", "\xef\xbf\xbd("},                                               /* no continuation */
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
		{"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* past U+10FFFF */
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
	};
	configure("all:INFO", LOG_JSON);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		log_info(LOG_CONFIG, "%s", cases[i].message);
		const char *message = strstr(written(), "\"msg\":\"");
		cr_assert_not_null(message);
		message += strlen("\"msg\":\"");
		cr_assert_eq(strncmp(message, cases[i].escaped, strlen(cases[i].escaped)), 0, "%zu: %s", i, message);
		cr_assert_str_eq(message + strlen(cases[i].escaped), "\"}\n", "%zu: %s", i, message);
	}
}

Test(log, cuts_long_messages_and_still_ends_the_line)
{
	/* Many bytes, and few bytes that become many. */
	static const struct {
		char filler;
		const char *end;
	} cases[] = {{'x', "xxx..."}, {'\x01', "\\u0001..."}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char message[5000];
		memset(message, cases[i].filler, sizeof message);
		message[sizeof message - 1] = '\0';
		for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
			configure("all:INFO", format);
			log_info(LOG_TURN, "%s", message);
			const char *line = written();
			char end[32];
			snprintf(end, sizeof end, "%s%s", cases[i].end, format == LOG_JSON ? "\"}\n" : "\n");
			cr_assert_geq(strlen(line), 2000);
			cr_assert_str_eq(line + strlen(line) - strlen(end), end);
			cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1);
			cr_assert_str_empty(written(), "one write");
		}
	}
}

/* A write that blocks would block for ever: nobody reads meanwhile. */
Test(log, a_full_pipe_costs_lines_and_never_blocks, .timeout = 20)
{
	enum { LINES = 5000 };
	cr_assert_eq(fcntl(STDOUT_FILENO, F_SETFL, O_DIRECT), 0); /* no O_NONBLOCK */
	for (unsigned i = 0; i < LINES; i++)
		log_info(LOG_IO, "line");
	unsigned arrived = 0;
	while (*written() != '\0')
		arrived++;
	cr_assert(arrived > 0 && arrived < LINES, "%u arrived", arrived);
	log_info(LOG_IO, "after");
	const char *lost = strstr(written(), " WARN  uturn: log lines lost, standard output was full: ");
	cr_assert_not_null(lost);
	cr_assert_eq((unsigned)strtoul(strrchr(lost, ' '), NULL, 10), LINES - arrived);
	cr_assert(matches(written(), " io: after\n$"));
	log_info(LOG_IO, "again");
	cr_assert(matches(written(), " io: again\n$"), "told once");
}

Test(log, survives_a_reader_that_has_gone)
{
	close(read_end);
	log_info(LOG_IO, "nobody reads"); /* a write would raise SIGPIPE */
}

Test(log, limit_passes_once_in_an_interval_and_counts_the_rest)
{
	struct log_limit limit = {0};
	uint32_t suppressed = 99;
	cr_assert(log_limit_pass(&limit, 5, NS_PER_S, &suppressed));
	cr_assert_eq(suppressed, 0);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_not(log_limit_pass(&limit, 5 + i, NS_PER_S, &suppressed));
	cr_assert_not(log_limit_pass(&limit, 4 + NS_PER_S, NS_PER_S, &suppressed));
	cr_assert(log_limit_pass(&limit, 5 + NS_PER_S, NS_PER_S, &suppressed));
	cr_assert_eq(suppressed, 11);
	cr_assert(log_limit_pass(&limit, 5 + 3 * NS_PER_S, NS_PER_S, &suppressed));
	cr_assert_eq(suppressed, 0);
}
