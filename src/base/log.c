#include "base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	MESSAGE_SIZE = 2048, /* longer messages are cut */
	LINE_SIZE = 4096,    /* PIPE_BUF: what other threads and processes write to the same pipe cannot get in between */
	LINE_END_SIZE = 16,  /* kept free for one more character, the mark of a cut, and the end of the line */
};
_Static_assert(LINE_SIZE <= PIPE_BUF, "a line is written in one piece");

static const char *const scope_names[LOG_SCOPES] = {
	[LOG_SERVER] = "uturn",
	[LOG_CONFIG] = "config",
	[LOG_TURN] = "turn",
	[LOG_AUTH] = "auth",
	[LOG_IO] = "io",
	[LOG_OPS] = "ops",
	[LOG_TURNCAT] = "turncat",
};

static const char *const level_names[] = {
	[LOG_DISABLE] = "DISABLE",
	[LOG_ERROR] = "ERROR",
	[LOG_WARN] = "WARN",
	[LOG_INFO] = "INFO",
	[LOG_DEBUG] = "DEBUG",
	[LOG_TRACE] = "TRACE",
};

/* Read by all threads, written by log_configure; each value stands alone, so relaxed access will do. */
static uint8_t levels[LOG_SCOPES] = {LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO, LOG_INFO};
static uint8_t line_format = LOG_TEXT;
static uint32_t lost_lines;
static int output = STDOUT_FILENO;

_Static_assert(LOG_SCOPES == 7, "every scope starts at INFO");

/* One "scope:LEVEL" of a specification, without the blanks around its parts. */
struct spec_entry {
	const char *scope;
	size_t scope_size;
	enum log_level level;
};

static void trim(const char **text, size_t *size)
{
	while (*size > 0 && (**text == ' ' || **text == '\t')) {
		++*text;
		--*size;
	}
	while (*size > 0 && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t'))
		--*size;
}

static bool is_word(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

static bool parse_level(const char *text, size_t size, enum log_level *ret_level)
{
	for (enum log_level level = LOG_DISABLE; level <= LOG_TRACE; level++) {
		if (is_word(text, size, level_names[level])) {
			*ret_level = level;
			return true;
		}
	}
	if (!is_word(text, size, "WARNING"))
		return false;
	*ret_level = LOG_WARN;
	return true;
}

static bool parse_entry(const char *text, size_t size, struct spec_entry *ret_entry)
{
	const char *colon = memchr(text, ':', size);
	if (colon == NULL)
		return false;
	const char *scope = text, *level_text = colon + 1;
	size_t scope_size = (size_t)(colon - text), level_size = size - scope_size - 1;
	trim(&scope, &scope_size);
	trim(&level_text, &level_size);
	enum log_level level;
	if (scope_size == 0 || !parse_level(level_text, level_size, &level))
		return false;
	*ret_entry = (struct spec_entry){.scope = scope, .scope_size = scope_size, .level = level};
	return true;
}

static bool parse_spec(const char *spec, uint8_t ret_levels[static LOG_SCOPES], const char **ret_bad)
{
	uint8_t fallback = LOG_INFO, named[LOG_SCOPES];
	bool is_named[LOG_SCOPES] = {false};
	size_t left = strlen(spec);
	const char *blanks = spec;
	trim(&blanks, &left);
	bool more = left > 0;
	for (const char *text = spec; more;) {
		size_t size = strcspn(text, ",");
		struct spec_entry entry;
		if (!parse_entry(text, size, &entry)) {
			if (ret_bad != NULL)
				*ret_bad = text;
			return false;
		}
		if (is_word(entry.scope, entry.scope_size, "all"))
			fallback = (uint8_t)entry.level;
		for (unsigned scope = 0; scope < LOG_SCOPES; scope++) {
			if (!is_word(entry.scope, entry.scope_size, scope_names[scope]))
				continue;
			named[scope] = (uint8_t)entry.level;
			is_named[scope] = true;
		}
		more = text[size] == ',';
		text += size + 1;
	}
	for (unsigned scope = 0; scope < LOG_SCOPES; scope++)
		ret_levels[scope] = is_named[scope] ? named[scope] : fallback;
	return true;
}

bool log_spec_valid(const char *spec, const char **ret_bad)
{
	uint8_t ignored[LOG_SCOPES];
	return parse_spec(spec, ignored, ret_bad);
}

bool log_configure(const char *spec, enum log_format format, const char **ret_bad)
{
	uint8_t wanted[LOG_SCOPES];
	if (!parse_spec(spec, wanted, ret_bad))
		return false;
	for (unsigned scope = 0; scope < LOG_SCOPES; scope++)
		__atomic_store_n(&levels[scope], wanted[scope], __ATOMIC_RELAXED);
	__atomic_store_n(&line_format, (uint8_t)format, __ATOMIC_RELAXED);
	return true;
}

void log_to_standard_error(void)
{
	output = STDERR_FILENO;
}

bool log_enabled(enum log_scope scope, enum log_level level)
{
	assert(scope < LOG_SCOPES);
	return level != LOG_DISABLE && level <= __atomic_load_n(&levels[scope], __ATOMIC_RELAXED);
}

struct line {
	char text[LINE_SIZE];
	size_t size;
};

static void line_append(struct line *line, const char *text, size_t size)
{
	assert(size <= sizeof line->text - line->size);
	memcpy(line->text + line->size, text, size);
	line->size += size;
}

static void line_append_string(struct line *line, const char *text)
{
	line_append(line, text, strlen(text));
}

/* How many bytes the well-formed UTF-8 character at `p` has (Unicode 15, table 3-7); 0 where there is none. */
static size_t utf8_size(const uint8_t *p, size_t size)
{
	if (p[0] < 0x80)
		return 1;
	size_t wanted = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
	if (wanted == 0 || wanted > size)
		return 0;
	/* No overlong forms, no surrogates, nothing past U+10FFFF. */
	uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80, high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < wanted; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return wanted;
}

/* A control character would let the contents of a message begin a line of its own, or reach the terminal. */
static bool append_control(struct line *line, const uint8_t *p, size_t size)
{
	unsigned code = size == 1 ? p[0] : size == 2 && p[0] == 0xc2 ? p[1] : 0x100;
	bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
	if (!is_control)
		return false;
	char escape[8];
	const char *short_form = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;
	if (short_form == NULL)
		snprintf(escape, sizeof escape, "\\u%04x", code);
	line_append_string(line, short_form != NULL ? short_form : escape);
	return true;
}

static void append_escaped(struct line *line, const char *text, enum log_format format)
{
	size_t left = strlen(text), size;
	for (const uint8_t *p = (const uint8_t *)text; left > 0; p += size, left -= size) {
		if (line->size > LINE_SIZE - LINE_END_SIZE) {
			line_append_string(line, "...");
			return;
		}
		size = utf8_size(p, left);
		if (size == 0) {
			line_append_string(line, "\xef\xbf\xbd"); /* U+FFFD */
			size = 1;
			continue;
		}
		if (append_control(line, p, size))
			continue;
		if (format == LOG_JSON && (*p == '"' || *p == '\\'))
			line_append_string(line, "\\");
		line_append(line, (const char *)p, size);
	}
}

static void append_time(struct line *line)
{
	uint64_t now_ms = clock_wall_ms();
	time_t now_s = (time_t)(now_ms / 1000);
	struct tm tm;
	gmtime_r(&now_s, &tm);
	char text[32];
	size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	line_append(line, text, size);
	snprintf(text, sizeof text, ".%03uZ", (unsigned)(now_ms % 1000));
	line_append_string(line, text);
}

static void append_text_line(struct line *line, enum log_scope scope, enum log_level level, const char *message)
{
	char frame[32];
	append_time(line);
	snprintf(frame, sizeof frame, " %-5s %s: ", level_names[level], scope_names[scope]);
	line_append_string(line, frame);
	append_escaped(line, message, LOG_TEXT);
	line_append_string(line, "\n");
}

static void append_json_line(struct line *line, enum log_scope scope, enum log_level level, const char *message)
{
	char frame[64];
	line_append_string(line, "{\"time\":\"");
	append_time(line);
	snprintf(frame, sizeof frame, "\",\"level\":\"%s\",\"scope\":\"%s\",\"msg\":\"", level_names[level], scope_names[scope]);
	line_append_string(line, frame);
	append_escaped(line, message, LOG_JSON);
	line_append_string(line, "\"}\n");
}

/*
 * False when the line could not be written at once. A reader that has stopped reading must not stop the threads that relay: a pipe
 * that poll calls writable takes PIPE_BUF bytes without blocking.
 */
static bool write_line(enum log_scope scope, enum log_level level, const char *message)
{
	struct line line;
	line.size = 0;
	if (__atomic_load_n(&line_format, __ATOMIC_RELAXED) == LOG_JSON)
		append_json_line(&line, scope, level, message);
	else
		append_text_line(&line, scope, level, message);
	struct pollfd out = {.fd = output, .events = POLLOUT};
	if (poll(&out, 1, 0) != 1 || out.revents != POLLOUT)
		return false;
	return write(output, line.text, line.size) == (ssize_t)line.size;
}

static void report_lost_lines(void)
{
	uint32_t lost = __atomic_exchange_n(&lost_lines, 0, __ATOMIC_RELAXED);
	char message[64];
	snprintf(message, sizeof message, "log lines lost, standard output was full: %u", lost);
	if (lost > 0 && !write_line(LOG_SERVER, LOG_WARN, message))
		__atomic_fetch_add(&lost_lines, lost, __ATOMIC_RELAXED);
}

void log_write(enum log_scope scope, enum log_level level, const char *format, ...)
{
	if (!log_enabled(scope, level))
		return;
	char message[MESSAGE_SIZE];
	va_list args;
	va_start(args, format);
	int wanted = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (wanted < 0)
		return;
	if ((size_t)wanted >= sizeof message)
		memcpy(message + sizeof message - sizeof "...", "...", sizeof "...");
	report_lost_lines();
	if (!write_line(scope, level, message))
		__atomic_fetch_add(&lost_lines, 1, __ATOMIC_RELAXED);
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns, uint32_t *ret_suppressed)
{
	if (now_ns < limit->next_ns) {
		if (limit->suppressed < UINT32_MAX)
			limit->suppressed++;
		return false;
	}
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_ns = now_ns + interval_ns;
	return true;
}
