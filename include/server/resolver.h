/*
 * resolver - asks for the addresses of domain names in the background of an event loop, as the system would: /etc/resolv.conf
 * (servers, search domains, ndots), /etc/hosts, and TCP when an answer does not fit a datagram. Over c-ares, which nothing else
 * here knows.
 *
 * Both files are read again when nothing is being asked.
 *
 * Owns:    its sockets, and what is being asked, until it is answered.
 * Bounds:  RESOLVER_QUESTIONS_MAX names at a time; RESOLVER_TIMEOUT_MS a try, RESOLVER_TRIES tries a server;
 *          CLUSTER_NAME_ADDRESSES_MAX addresses an answer, further ones are left out.
 * Threads: the event base's.
 */
#ifndef UTURN_SERVER_RESOLVER_H
#define UTURN_SERVER_RESOLVER_H

#include <event2/event.h>

#include "server/cluster_names.h"

enum { RESOLVER_QUESTIONS_MAX = 32, RESOLVER_TIMEOUT_MS = 2000, RESOLVER_TRIES = 2 };

struct resolver;

/*
 * The answers are of IPv4 and IPv6, in this order, and the callee's to change while it runs; `error` says in a few words why there
 * is none, where one family failed or neither has an address. Not to be answered with resolver_ask or resolver_free.
 */
typedef void resolver_done(void *context, uint64_t id, struct name_answer answers[RELAY_FAMILIES], const char *error);

struct resolver *resolver_create(struct event_base *base, resolver_done *done, void *context); /* NULL: no memory */
/* What is being asked is not answered any more. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* `id` comes back with the answers, which may be at once. False: RESOLVER_QUESTIONS_MAX are being asked, or there is no memory. */
bool resolver_ask(struct resolver *resolver, const char *name, uint64_t id);

#endif
