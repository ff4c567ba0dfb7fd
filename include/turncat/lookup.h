/*
 * lookup - the addresses of a host, without waiting: numeric ones and localhost at once, names by the system's name servers.
 *
 * libevent's resolver reads /etc/resolv.conf and /etc/hosts itself, so a statically linked program resolves as any other does.
 * Bounds: LOOKUP_MAX addresses; 2 s a try, 3 tries. Threads: the event loop's.
 */
#ifndef UTURN_TURNCAT_LOOKUP_H
#define UTURN_TURNCAT_LOOKUP_H

#include "base/addr.h"
#include "turncat/spec.h"

struct event_base;
struct evdns_base;
struct evdns_getaddrinfo_request;

enum { LOOKUP_MAX = 8 };

struct resolver {
	struct event_base *base;
	struct evdns_base *dns; /* made with the first name; NULL before */
};

/* *why is NULL and count > 0, or it says why there are none ("no such host"). */
typedef void lookup_done_fn(void *owner, const struct addr *addrs, unsigned count, const char *why);

/* One at a time; zero-initialise it. */
struct lookup {
	lookup_done_fn *done;
	void *owner;
	uint16_t port;
	struct evdns_getaddrinfo_request *request;
};

void resolver_done(struct resolver *resolver);

/* Calls `done` once, possibly before it returns. */
void lookup_start(struct lookup *l, struct resolver *resolver, const struct spec_host *host, lookup_done_fn *done, void *owner);

/* `done` is not called any more. */
void lookup_cancel(struct lookup *l);

#endif
