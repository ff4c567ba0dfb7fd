/*
 * cds_client - one connection at a time to a config discovery service, over libwebsockets.
 *
 * Threads: one, but for cds_client_interrupt.
 */
#ifndef UTURN_SRC_SERVER_CDS_CLIENT_H
#define UTURN_SRC_SERVER_CDS_CLIENT_H

#include "server/cds.h"

/* What a connection tells, while cds_client_run runs. */
struct cds_listener {
	void *context;
	void (*opened)(void *context);
	void (*arrived)(void *context, char *text, size_t size); /* takes the text over, which is not empty */
};

struct cds_client;
/* Both are borrowed. NULL: no memory. */
struct cds_client *cds_client_create(const struct cds_source *source, const struct cds_listener *listener);
void cds_client_free(struct cds_client *client);

/* One connection, until its end: with `watch` a WebSocket, otherwise one GET, which has succeeded when `arrived` was called. Why it
 * ended goes to ret_why. */
void cds_client_run(struct cds_client *client, bool watch, char ret_why[static CDS_ERROR_SIZE]);
/* Ends the run that is under way and all later ones at once. From any thread. */
void cds_client_interrupt(struct cds_client *client);

#endif
