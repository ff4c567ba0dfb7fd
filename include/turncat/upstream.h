/*
 * upstream - which server tunnels go through: its addresses, how it is spoken to, and with which credentials.
 *
 * Found anew for every allocation that is made (but not within two seconds), so that a server that moved, a gateway whose address
 * changed and credentials that were rotated are followed without a restart.
 *
 * Threads: the event loop's.
 */
#ifndef UTURN_TURNCAT_UPSTREAM_H
#define UTURN_TURNCAT_UPSTREAM_H

#include "client/tls_context.h"
#include "turncat/cds.h"
#include "turncat/options.h"

struct upstream {
	const struct turncat_options *options;
	struct resolver *resolver;
	/* What was found; valid while `done` runs and, of an upstream_wait that succeeded, until the next one. */
	struct addr addrs[LOOKUP_MAX];
	unsigned addr_count;
	struct spec_host host;
	struct transport transport;
	struct tls_context *tls; /* NULL over UDP and TCP */
	/* the implementation's own fields follow */
	char username[SPEC_USERNAME_SIZE], password[SPEC_PASSWORD_SIZE], secret[SPEC_PASSWORD_SIZE];
	char name[SPEC_HOST_SIZE]; /* `transport.name` */
	uint64_t found_ns;
	struct upstream_wait *waiting, *told; /* told: those whose turn comes now */
	bool busy;
	struct lookup lookup;
	struct cds cds;
};

/* Somebody who waits for it; zero-initialise it. */
struct upstream_wait {
	struct upstream_wait *next;
	void (*done)(void *owner, const char *why); /* NULL: found */
	void *owner;
	bool waits;
};

/* The options must outlive it. False with one line. */
bool upstream_init(struct upstream *u, const struct turncat_options *options, struct resolver *resolver, struct failure *failure);
void upstream_done(struct upstream *u);

/* Calls wait->done once, possibly before it returns, unless the wait is cancelled. */
void upstream_find(struct upstream *u, struct upstream_wait *wait, void (*done)(void *owner, const char *why), void *owner);
void upstream_cancel(struct upstream *u, struct upstream_wait *wait);

/* The credentials for an allocation that is made now; time-limited ones are minted. False: they do not fit. */
bool upstream_credentials(
	const struct upstream *u, char ret_username[static SPEC_USERNAME_SIZE], char ret_password[static SPEC_PASSWORD_SIZE]);

#endif
