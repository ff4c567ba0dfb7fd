/*
 * inbox - receives datagrams in batches: recvmmsg, each message several datagrams of one sender where the kernel glued them
 * together (UDP_GRO).
 *
 * Owns:    INBOX_MESSAGES buffers of 64 KiB. One is enough for all sockets of a thread.
 * Threads: one.
 */
#ifndef UTURN_TURNCAT_INBOX_H
#define UTURN_TURNCAT_INBOX_H

#include "base/addr.h"
#include "base/bytes.h"

enum { INBOX_MESSAGES = 16 };

struct inbox;

struct inbox_datagram {
	struct bytes data; /* until inbox_receive returns */
	struct addr from;  /* ADDR_NONE on a connected socket */
	struct addr to;    /* the address it was sent to, port 0, of a socket that reports it; ADDR_NONE otherwise */
};

typedef void inbox_datagram_fn(void *context, const struct inbox_datagram *datagram);

struct inbox *inbox_create(void); /* NULL: no memory */
void inbox_free(struct inbox *inbox);

/*
 * One recvmmsg; each datagram is handed over. Returns how many messages there were, less than INBOX_MESSAGES when nothing is left,
 * or a negative errno. `named`: the socket is not connected, and the sender is wanted.
 */
int inbox_receive(struct inbox *inbox, int fd, bool named, inbox_datagram_fn *take, void *context);

#endif
