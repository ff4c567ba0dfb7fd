/*
 * cds - asks STUNner's config discovery service for a gateway's configuration: GET /api/v1/configs/<namespace>/<gateway>.
 *
 * Bounds: 5 s, 4 MiB. Threads: the event loop's.
 */
#ifndef UTURN_TURNCAT_CDS_H
#define UTURN_TURNCAT_CDS_H

#include "turncat/cds_config.h"
#include "turncat/lookup.h"

struct evhttp_connection;

struct cds {
	struct resolver *resolver;
	struct spec_host host;
	struct spec_server wanted; /* its namespace is filled in */
	struct lookup lookup;
	struct evhttp_connection *connection; /* the last one; NULL: none */
	void (*done)(void *owner, const struct cds_server *server, const char *why);
	void *owner;
};

enum { CDS_PORT = 13478 };

/* NULL or an empty text: not said. False with one line: the service's address is not known. */
struct cds_place {
	const char *address, *namespace, *port; /* of the service */
	const char *current_namespace;
};
bool cds_init(struct cds *c, struct resolver *resolver, const struct spec_server *wanted, const struct cds_place *place,
	struct failure *failure);

/* Nothing is called any more. */
void cds_done(struct cds *c);

/* One at a time. `done` is called once: with a server, or with why there is none. */
void cds_ask(struct cds *c, void (*done)(void *owner, const struct cds_server *server, const char *why), void *owner);

#endif
