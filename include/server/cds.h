/*
 * cds - the client of a config discovery service: fetches one configuration, or follows it over a WebSocket for as long as the
 * process lives. It knows nothing of what is in a configuration.
 *
 * While it follows, it connects anew one second after every failure, for ever, and pings: who does not answer is given up.
 *
 * Owns:    a thread of its own while it follows.
 * Bounds:  a configuration is at most CONFIG_FILE_SIZE_MAX bytes; of those that nobody has taken yet only the newest is kept.
 * Threads: cds_watch_* are called by one thread.
 */
#ifndef UTURN_SERVER_CDS_H
#define UTURN_SERVER_CDS_H

#include "server/config_origin.h"

enum { CDS_ERROR_SIZE = 256 };

/* Once, within ten seconds. The text has a NUL behind it, and who frees it wipes it first. NULL: *ret_error says why. */
char *cds_fetch(const struct cds_source *source, size_t *ret_size, char ret_error[static CDS_ERROR_SIZE]);

struct cds_news {
	char *text; /* a configuration that has come, as by cds_fetch; NULL: none since the last time */
	size_t size;
	bool connected;
	char problem[CDS_ERROR_SIZE]; /* why it is not; "": it is, or nothing has been tried yet */
	bool over;                    /* nothing more will come */
	uint64_t connects, messages;  /* so far */
};

struct cds_watch;
/* Follows `source`, which is borrowed; or, with `once`, fetches one configuration without letting the caller wait. NULL: errno says
 * why. */
struct cds_watch *cds_watch_start(const struct cds_source *source, bool once);
/* Readable when there are news. */
int cds_watch_fd(const struct cds_watch *watch);
struct cds_news cds_watch_take(struct cds_watch *watch);
void cds_watch_stop(struct cds_watch *watch); /* NULL is fine */

#endif
