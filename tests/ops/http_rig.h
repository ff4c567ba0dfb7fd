/*
 * http_rig - an HTTP endpoint on loopback and its clients, all on one thread: the rig turns the endpoint's loop while a client
 * waits.
 */
#ifndef UTURN_TESTS_OPS_HTTP_RIG_H
#define UTURN_TESTS_OPS_HTTP_RIG_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Turns the loop once without waiting. */
void rig_turn(struct event_base *base);
/* … for this long. */
void rig_turn_for(struct event_base *base, unsigned duration_ms);

/* A connection to 127.0.0.1 (or ::1), non-blocking. */
int rig_connect(uint16_t port, bool ipv6);
void rig_send(int fd, const char *text);
/* What came until the other side closed, NUL-terminated in `text`; its size. Fails the test after `timeout_ms`. */
size_t rig_receive_all(struct event_base *base, int fd, char *text, size_t room, unsigned timeout_ms);
/* The other side has closed. */
bool rig_is_closed(int fd);

/* Sends, receives all, closes. */
size_t rig_ask(struct event_base *base, uint16_t port, const char *request, char *answer, size_t room);
/* The number behind "HTTP/1.1 "; 0 if there is none. */
int rig_status(const char *answer);
/* What follows the headers; NULL if there is none. */
const char *rig_body(const char *answer);

/* Open descriptors of this process. */
unsigned rig_descriptors(void);

#endif
