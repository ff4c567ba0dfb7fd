/*
 * connection - a client's way to its server over UDP, TCP, TLS or DTLS: connects, shakes hands, frames go in and frames come out.
 *
 * Frames are STUN messages and ChannelData; over TCP and TLS ChannelData is padded to four bytes (RFC 8656, section 12.5), which
 * is the caller's to do. Each frame is one record of TLS, one datagram of UDP or DTLS. Frames that are put between two flushes
 * leave in one send, unless the transport wants separate writes; datagrams in one sendmmsg, or as trains (UDP_SEGMENT).
 *
 * What a full socket does not take of a stream is kept until it does: a burst that was begun leaves whole, and none is begun
 * before. What it does not take of datagrams is lost.
 *
 * Owns:    its socket, its TLS state, the beginning of a frame whose rest has not arrived, what a full socket has left.
 * Bounds:  a frame is at most 65,555 bytes. Threads: one at a time; between connection_begin and connection_flush a thread has
 * one connection in hand.
 */
#ifndef UTURN_CLIENT_CONNECTION_H
#define UTURN_CLIENT_CONNECTION_H

#include <sys/uio.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "client/tls_context.h"
#include "client/transport.h"

struct tls_link;

/* What the connections of a load have in common. */
struct connection_plan {
	const struct transport *transport;
	struct tls_context *tls; /* TLS and DTLS */
	struct addr local, server;
	int buffer_bytes; /* of the sockets; 0: the system's own */
	bool trains;      /* datagrams of one size that are sent together leave as one (gather_send_trains) */
};

enum connection_state {
	CONNECTION_NONE,       /* no socket */
	CONNECTION_CONNECTING, /* TCP's handshake */
	CONNECTION_SHAKING,    /* TLS's */
	CONNECTION_OPEN,
	CONNECTION_ENDED, /* by the server or by an error: `why` */
};

struct connection {
	const struct connection_plan *plan;
	enum connection_state state;
	int fd; /* -1 without one */
	struct tls_link *tls;
	char why[96]; /* CONNECTION_ENDED: "Connection reset by peer" */
	/* Who waits for the socket (connection_watch). */
	int epoll;
	uint64_t name;
	struct connection_bytes {
		uint8_t *data;
		size_t first, size, capacity; /* `size` counts from 0, `first` is where what is left begins */
	} left, piece;                        /* what the socket has not taken; the frame whose rest has not arrived */
};

/* One frame, of a stream without its padding. It must not close the connection. */
typedef void connection_frame_fn(void *context, struct bytes frame);

/* Without a system call. The plan must outlive the connection. */
void connection_init(struct connection *c, const struct connection_plan *plan);

/*
 * Begins on this socket, which is non-blocking and connected to the server or about to be, and the connection's from now on, also
 * on failure. UDP is open at once; DTLS begins to shake hands. False with one line.
 */
bool connection_start(struct connection *c, int fd, struct failure *failure);

/* The socket became writable while it was connecting or has something left to send. */
void connection_writable(struct connection *c);

/* Reads what is there, at most a few times. What arrives moves the handshake on, or is handed over as frames. */
void connection_readable(struct connection *c, connection_frame_fn *frame, void *context);

/* The same for what was read from the socket elsewhere: one datagram, or a piece of the stream; empty: the stream's end. */
void connection_take(struct connection *c, struct bytes received, connection_frame_fn *frame, void *context);

/* A socket's error ends it. */
void connection_fail(struct connection *c, int error);

/* DTLS: a flight of the handshake that was lost is sent again. Every 50 ms or so. */
void connection_tick(struct connection *c);

/*
 * From here on the socket is in this epoll set under this name: readable always, writable while something is left to send. False:
 * errno.
 */
bool connection_watch(struct connection *c, int epoll, uint64_t name);

/* False: an earlier burst is still on its way into the socket, or the connection is not open. Nothing can be put then. */
bool connection_begin(struct connection *c);

/* One frame, from several places; all of it is taken. */
void connection_put(struct connection *c, const struct iovec *parts, size_t count);

/* Sends what was put. Returns how many datagrams the socket did not take, the last ones; 0 of streams. */
unsigned connection_flush(struct connection *c);

/* One frame that is there in one piece. False: it cannot be sent now. */
bool connection_send(struct connection *c, struct bytes frame);

/* Something waits until the socket takes more: nothing can be put before (connection_writable). */
static inline bool connection_waits(const struct connection *c)
{
	return c->state == CONNECTION_CONNECTING || c->left.first < c->left.size;
}

/* Tells the server that nothing more comes (TLS and DTLS: close_notify), as far as the socket takes it at once. */
void connection_farewell(struct connection *c);

/* It can be started again afterwards. */
void connection_close(struct connection *c);

#endif
