#include "base/percent.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_decode(const char *text, size_t size, enum percent_form form, char *ret_text, size_t room)
{
	size_t used = 0;
	for (size_t i = 0; i < size; i++) {
		char c = text[i] == '+' && form == PERCENT_QUERY ? ' ' : text[i];
		if (c == '%') {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -1, low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || used + 1 >= room)
			return false;
		ret_text[used++] = c;
	}
	ret_text[used] = '\0';
	return true;
}
