/*
 * routes - what was learnt about sending trains: where they fail, and where they are known to work.
 *
 * A train fails with EMSGSIZE or EINVAL when a segment and its headers exceed the route's MTU, with EIO when the device cannot fill
 * in checksums. Packets there then leave singly for a while, so that not every train is tried in vain. The memory is kept by socket
 * and destination prefix (/24, /56) and by segment size, so that a client with large packets does not change how anybody else's
 * leave.
 *
 * io_uring sends what was submitted together even if the first of it fails; the first train of a route therefore goes alone, and
 * only where one has left do trains go together. So a failure is known before the flow's next packets are sent, and their order is
 * kept.
 *
 * Bounds:   ROUTES_MAX entries, direct-mapped; a collision forgets the older one. Nothing is remembered longer than
 * ROUTE_LIFETIME_NS.
 * Threads:  one.
 */
#ifndef UTURN_IO_ROUTES_H
#define UTURN_IO_ROUTES_H

#include "base/clock.h"
#include "io/train.h"

enum { ROUTES_MAX = 4096 };
#define ROUTE_LIFETIME_NS (60 * NS_PER_S)

struct route {
	uint64_t key;
	uint64_t expires_ns;
	uint16_t works;   /* segments up to this size have left as a train */
	uint16_t refused; /* segments from this size on have not; 0: no failure is known */
};

struct routes {
	struct route *entries;
	uint64_t refused_until_ns; /* no entry says `refused` after this */
};

/* 0, or -ENOMEM. */
int routes_init(struct routes *routes) __attribute__((warn_unused_result));
void routes_done(struct routes *routes);

/* Whether packets of this size must leave singly. Cheap while no failure is known anywhere. */
bool routes_refuse(const struct routes *routes, uint32_t socket, const struct addr *to, size_t size, uint64_t now_ns);

/* Whether a train like this one is known to leave. */
bool routes_work(const struct routes *routes, const struct train *train, uint64_t now_ns);

void routes_learn_success(struct routes *routes, const struct train *train, uint64_t now_ns);
void routes_learn_failure(struct routes *routes, const struct train *train, int error, uint64_t now_ns);

#endif
