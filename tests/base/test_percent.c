#include <criterion/criterion.h>

#include "base/percent.h"
#include "exact_copy.h"

static bool decode(const char *text, enum percent_form form, char *ret_text, size_t room)
{
	struct bytes exact = exact_copy(text, strlen(text));
	bool good = percent_decode((const char *)exact.data, exact.size, form, ret_text, room);
	exact_copy_free(exact);
	return good;
}

Test(percent, decodes_bytes)
{
	static const struct {
		const char *text, *uri, *query;
	} cases[] = {
		{"", "", ""},
		{"plain-._~", "plain-._~", "plain-._~"},
		{"a%40b%3ac%3A", "a@b:c:", "a@b:c:"},
		{"%e2%82%AC", "\xe2\x82\xac", "\xe2\x82\xac"},
		{"%25%34%31", "%41", "%41"},
		{"a+b%2B", "a+b+", "a b+"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[16];
		cr_expect(decode(cases[i].text, PERCENT_URI, text, sizeof text), "%s", cases[i].text);
		cr_expect_str_eq(text, cases[i].uri);
		cr_expect(decode(cases[i].text, PERCENT_QUERY, text, sizeof text), "%s", cases[i].text);
		cr_expect_str_eq(text, cases[i].query);
	}
}

Test(percent, refuses_what_is_cut_short_no_number_or_nul)
{
	static const char *const texts[] = {"%", "a%4", "%4g", "%g4", "%%41", "%+1", "%00", "a%00b"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[16];
		cr_expect_not(decode(texts[i], PERCENT_URI, text, sizeof text), "%s", texts[i]);
	}
	char text[16];
	cr_expect_not(percent_decode("a\0b", 3, PERCENT_URI, text, sizeof text));
}

Test(percent, refuses_what_does_not_fit)
{
	char text[4];
	cr_expect(decode("%41bc", PERCENT_URI, text, sizeof text));
	cr_expect_str_eq(text, "Abc");
	cr_expect_not(decode("%41bcd", PERCENT_URI, text, sizeof text));
	cr_expect_not(decode("a", PERCENT_URI, text, 1));
	cr_expect(decode("", PERCENT_URI, text, 1));
}
