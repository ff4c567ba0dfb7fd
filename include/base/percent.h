/*
 * percent - percent-encoded text, as URIs and queries have it (RFC 3986 Section 2.1).
 *
 * Threads: no state.
 */
#ifndef UTURN_BASE_PERCENT_H
#define UTURN_BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

enum percent_form {
	PERCENT_URI,
	PERCENT_QUERY /* a form's query: '+' is a space */
};

/*
 * Decodes `size` bytes into `room` (at least 1), a NUL behind them. False, with no more than a beginning written, when a '%' is
 * not followed by two hexadecimal digits, when there is a NUL, encoded or not, or no room.
 */
bool percent_decode(const char *text, size_t size, enum percent_form form, char *ret_text, size_t room);

#endif
