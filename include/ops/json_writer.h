/*
 * json_writer - writes JSON, value by value, compactly and in the order of the calls.
 *
 *	json_write_begin(&j, NULL, '{');
 *	json_write_text(&j, "name", listener->name);
 *	json_write_number(&j, "port", listener->port);
 *	json_write_end(&j, '}');
 *
 * In an object every value has a key, in an array none has (NULL). What is written is valid whatever the text holds: bytes that are
 * not UTF-8 become U+FFFD. A failure (no memory) sticks: check `failed` once at the end.
 */
#ifndef UTURN_OPS_JSON_WRITER_H
#define UTURN_OPS_JSON_WRITER_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>

struct json_writer {
	struct evbuffer *out;
	bool failed;
	bool comma; /* a value stands before this place */
};

void json_write_init(struct json_writer *j, struct evbuffer *out);
void json_write_begin(struct json_writer *j, const char *key, char bracket); /* '{' or '[' */
void json_write_end(struct json_writer *j, char bracket);                    /* '}' or ']' */
void json_write_text(struct json_writer *j, const char *key, const char *text);
bool json_text_is_kept(const char *text); /* it is UTF-8 all through: who reads it gets these very bytes */
void json_write_number(struct json_writer *j, const char *key, uint64_t number);
void json_write_bool(struct json_writer *j, const char *key, bool value);

#endif
