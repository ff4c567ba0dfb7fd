#include "ops/json_writer.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct evbuffer *out;
static struct json_writer j;

static void open_buffer(void)
{
	out = evbuffer_new();
	json_write_init(&j, out);
}

static void close_buffer(void)
{
	evbuffer_free(out);
}

TestSuite(json_writer, .init = open_buffer, .fini = close_buffer);

static const char *written(void)
{
	evbuffer_add(out, "", 1);
	return (const char *)evbuffer_pullup(out, -1);
}

Test(json_writer, writes_nested_values_in_order)
{
	json_write_begin(&j, NULL, '{');
	json_write_text(&j, "name", "udp");
	json_write_number(&j, "port", 3478);
	json_write_begin(&j, "routes", '[');
	json_write_text(&j, NULL, "a");
	json_write_text(&j, NULL, "b");
	json_write_begin(&j, NULL, '{');
	json_write_end(&j, '}');
	json_write_end(&j, ']');
	json_write_begin(&j, "empty", '[');
	json_write_end(&j, ']');
	json_write_bool(&j, "yes", true);
	json_write_bool(&j, "no", false);
	json_write_number(&j, "most", UINT64_MAX);
	json_write_end(&j, '}');
	cr_assert_str_eq(written(),
		"{\"name\":\"udp\",\"port\":3478,\"routes\":[\"a\",\"b\",{}],\"empty\":[],\"yes\":true,\"no\":false,"
		"\"most\":18446744073709551615}");
	cr_assert_not(j.failed);
}

/* In a copy of its exact size, so that the sanitizer sees a read past the end. */
static void expect_text(const char *text, const char *expected)
{
	char *exact = strdup(text);
	json_write_init(&j, out);
	json_write_text(&j, NULL, exact);
	cr_expect_str_eq(written(), expected);
	evbuffer_drain(out, evbuffer_get_length(out));
	free(exact);
}

Test(json_writer, escapes_what_json_does_not_allow_in_text)
{
	expect_text("", "\"\"");
	expect_text("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	expect_text("\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\x7f\"");
	expect_text("<script>", "\"<script>\"");
}

Test(json_writer, passes_utf8_on)
{
	expect_text("\xC2\x80\xDF\xBF", "\"\xC2\x80\xDF\xBF\"");
	expect_text("\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF", "\"\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\"");
	expect_text("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"");
}

#define BAD "\xEF\xBF\xBD"

Test(json_writer, replaces_bytes_that_are_not_utf8)
{
	expect_text("\xFF", "\"" BAD "\"");
	expect_text("a\x80z", "\"a" BAD "z\"");
	expect_text("\xC3", "\"" BAD "\"");
	expect_text("\xC3(", "\"" BAD "(\"");
	expect_text("\xC0\xAF", "\"" BAD BAD "\"");         /* overlong */
	expect_text("\xE0\x9F\xBF", "\"" BAD BAD BAD "\""); /* overlong */
	expect_text("\xED\xA0\x80", "\"" BAD BAD BAD "\""); /* a surrogate */
	expect_text("\xE2\x82", "\"" BAD BAD "\"");
	expect_text("\xF0\x9F\x98", "\"" BAD BAD BAD "\"");
	expect_text("\xF0\x8F\xBF\xBF", "\"" BAD BAD BAD BAD "\""); /* overlong */
	expect_text("\xF4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""); /* past U+10FFFF */
	expect_text("\xF5\x80\x80\x80", "\"" BAD BAD BAD BAD "\"");
}

Test(json_writer, remembers_that_a_write_failed)
{
	evbuffer_freeze(out, 0);
	json_write_number(&j, NULL, 1);
	evbuffer_unfreeze(out, 0);
	json_write_number(&j, NULL, 2);
	cr_assert(j.failed);
}

Test(json_writer, tells_which_texts_come_back_as_they_are)
{
	static const char *const kept[] = {"", "a", "a\"b\\\n", "\xC3\xA9", "\xF0\x9F\x98\x80"};
	static const char *const changed[] = {"\x80", "a\xFF", "\xC3", "\xC3(", "\xED\xA0\x80", "\xC0\xAF"};
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		cr_expect(json_text_is_kept(kept[i]), "%zu", i);
	for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
		cr_expect_not(json_text_is_kept(changed[i]), "%zu", i);
}
