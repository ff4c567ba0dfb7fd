/*
 * connection - a client that comes over TCP or TLS, over DTLS, or through a proxy that passes on UDP: what the shard knows of it
 * between its first byte and its last. The files in the order of its life: accept, handshake, from_stream or from_dtls or
 * from_proxied, to_connection, output; connection.c makes and ends them and watches their time.
 *
 *	          PROXY header       handshake                    end of stream, failure, time-out
 *	(accept) ─► PROXY ─► HANDSHAKE ─► OPEN ─► … ────────────────────────────────► CLOSING ─► (end of the turn)
 *	            if one is due   if it is TLS or DTLS
 *
 * A connection that has ended stays where it is until the end of the turn, so that nobody holds a pointer to what is gone.
 *
 * Owns:     its socket (TCP, TLS), keys, the buffers of what has begun to arrive or waits to be sent, and with its flow the
 *           allocation.
 * Bounds:   connections_max of them in a shard; a few per client address; handshakes under way; a queue each.
 * Threads:  the shard's.
 */
#ifndef UTURN_SRC_SHARD_CONNECTION_H
#define UTURN_SRC_SHARD_CONNECTION_H

#include "base/map.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "io/engine.h"
#include "shard/stream_config.h"
#include "shard/stream_counters.h"
#include "sources.h"
#include "stream_buffers.h"
#include "tls/dtls_cookie.h"
#include "tls/record.h"
#include "tls/session.h"

enum connection_state { CONNECTION_PROXY, CONNECTION_HANDSHAKE, CONNECTION_OPEN, CONNECTION_CLOSING };

#define CONNECTION_NONE UINT32_MAX

/* The beginning of a frame or record whose rest has not arrived. */
struct piece {
	uint32_t buffer; /* STREAM_BUFFER_NONE: nothing has begun */
	uint32_t size;
};

/*
 * What waits to be sent, in one buffer:
 *
 *	… │ sent ──── must leave as it is ──── sealed │ OUTPUT_SLACK │ open ──── whole frames ──── end │ …
 *
 * In front are sealed records, or the rest of a frame that has partly left; behind it are frames, which may still be dropped. The
 * slack takes what the record layer itself has to say. Over TLS each frame has room in front of it and behind it for what makes it
 * a record (records.plain_max bytes at most, so a long one is several).
 */
struct output {
	uint32_t buffer; /* STREAM_BUFFER_NONE: nothing waits */
	uint32_t sent, sealed, open, end;
	uint32_t counted; /* of it in the gauge of queued bytes */
	bool blocked;     /* the kernel takes no more until it says so */
};

struct connection {
	struct flow flow; /* its `connection` is our number + 1 */
	struct addr via;  /* where its packets come from and go to; with a proxy that is not flow.client */
	uint32_t socket;  /* the engine's number; SOCKET_NONE: it shares the listener's */
	uint8_t state;    /* enum connection_state */
	uint8_t end;      /* enum stream_end, once CLOSING */
	uint8_t fault;    /* enum record_reason, with END_RECORD */
	bool flush_queued;
	bool spoke;               /* it has sent a STUN message */
	bool ended;               /* the stream has, while the handshake has input left: an alert, say */
	bool counts_as_handshake; /* one of those under way */
	struct piece record, frame;
	struct output output;
	struct record_layer records;
	struct tls_session *session;
	uint8_t hello[8];   /* DTLS: of the random in the ClientHello that began it */
	uint32_t successor; /* DTLS: a new handshake from the same address, which replaces this one when it is complete */
	uint32_t source;
	uint32_t flush_next, closing_next;
	struct connection_queue *handshake_queue; /* the one it stands in; NULL: in none */
	uint32_t handshake_next, handshake_previous;
	uint64_t created_ns, blocked_ns;
	uint64_t active_ns; /* open: when the client last sent something; before: when its handshake last had something to do */
	uint64_t resend_ns; /* DTLS: when the last flight should be sent again */
	struct timer timer;
};

/* Connections in a row, by their numbers. */
struct connection_queue {
	uint32_t first, last;
};

struct streams {
	struct pool connections;
	struct map by_address; /* those that share a listener's socket, by listener and `via` */
	struct siphash_key key;
	struct sources sources;
	struct stream_buffers buffers;
	struct wheel wheel;
	struct stream_config *config;
	struct connection_queue flush, closing;
	struct connection_queue handshakes;             /* with something to do */
	struct connection_queue idle;                   /* under way, and their clients have the word; the longest silent first */
	struct connection_queue waiting, waiting_crowd; /* for a place; the crowd: of addresses with many connections */
	struct connection_queue lingering; /* open, with a session that would send a lost last flight again; the oldest first */
	uint32_t handshaking, lingering_count, places_given;
	uint64_t handshake_ns; /* not before this moment */
	uint64_t relayed;      /* packets, when the last handshakes were done */
	uint64_t trim_ns;
	uint8_t cookie_key[DTLS_COOKIE_KEY_SIZE];
};

struct shard;

/* connection.c */

int streams_init(struct shard *shard) __attribute__((warn_unused_result));
void streams_done(struct shard *shard);                                    /* closes no socket: they are the engine's */
void streams_configure(struct shard *shard, struct stream_config *config); /* takes the reference */

struct connection *connection_at(const struct shard *shard, uint32_t number);
uint32_t connection_number(const struct connection *c);
/* By the tag of its socket; NULL: it has ended. */
struct connection *connection_of_tag(const struct shard *shard, uint64_t tag);
uint64_t connection_tag(const struct shard *shard, const struct connection *c);
/* One that shares the listener's socket. NULL: there is none, or it is ending. */
struct connection *connection_by_address(const struct shard *shard, unsigned listener, const struct addr *via);

/* In its first state, counted, its timer running. NULL: refused, and counted. `came` is the flow as the packets have it. */
struct connection *connection_create(struct shard *shard, const struct flow *came);
/* This address counts for one more; false: it has too many, and the connection is ending. */
bool connection_count_source(struct shard *shard, struct connection *c);
/* Found by connection_by_address from now on. */
bool connection_share_socket(struct shard *shard, struct connection *c);
/* May it keep a buffer until the client says or reads more? Half of them are for clients with an allocation: whoever says half a
 * message, or asks and does not read, may be anybody. */
bool connection_may_hold(const struct shard *shard, const struct connection *c);
/* Takes over the address from the connection that has it, which ends. */
void connection_succeed(struct shard *shard, struct connection *successor);
/* The connection is of no more use: it closes at the end of the turn. The first reason counts. */
void connection_end(struct shard *shard, struct connection *c, enum stream_end end);
/* Sets the timer to what is due next. To be called when that may have come nearer. */
void connection_watch(struct shard *shard, struct connection *c);
void connections_expire(struct shard *shard);
/* When connections_expire, or a handshake, has something to do; WHEEL_NEVER: nothing. */
uint64_t connections_deadline_ns(const struct shard *shard);
/* Ends some of what is CLOSING. True: there is more. */
bool connections_close(struct shard *shard);
void connections_close_all(struct shard *shard);

void connection_queue_push(struct shard *shard, struct connection_queue *queue, struct connection *c, uint32_t *next);

/* piece.c */

/* A piece grows by the front of *data, up to `size` bytes in all. False: no buffer, and the connection is ending. */
bool piece_extend(struct shard *shard, struct connection *c, struct piece *piece, struct bytes *data, size_t size);
struct bytes piece_bytes(const struct shard *shard, const struct piece *piece);
/* It is whole and was used; departures may point into it. */
void piece_finish(struct shard *shard, struct piece *piece);

/* accept.c */
void shard_accept(struct shard *shard, const struct received *received);
bool shard_trusts_proxy(const struct stream_listener *listener, const struct addr *from);
void connection_proxy_header(struct shard *shard, struct connection *c, struct bytes data);
/* The client is known: on to the handshake, or to the first message. */
void connection_begin(struct shard *shard, struct connection *c, struct bytes data);

/* DTLS: ChangeCipherSpec, alert, handshake (RFC 6347 Section 4.1). */
static inline bool datagram_is_handshake(struct bytes datagram)
{
	return datagram.size > 0 && datagram.data[0] >= 20 && datagram.data[0] <= 22;
}

/* handshake.c */
void handshake_input(struct shard *shard, struct connection *c, struct bytes data);
/* The stream has ended. What has come before is looked at, if a session waits for it. */
void handshake_end(struct shard *shard, struct connection *c, enum stream_end end);
/* It took too long, or has not begun in time. */
void handshake_time_out(struct shard *shard, struct connection *c);
/* Goes on with those that have input, for a bounded time. */
void handshakes_run(struct shard *shard);
/* When handshakes_run has something to do; WHEEL_NEVER: nothing. */
uint64_t handshakes_deadline_ns(const struct shard *shard);
/* DTLS: a flight was lost, it seems. */
void handshake_resend(struct shard *shard, struct connection *c);
/* DTLS, open: the client repeats a record of its last flight, so it lacks ours; that is answered while the session lives. */
void handshake_repeated(struct shard *shard, struct connection *c, struct bytes record);
void handshake_release(struct shard *shard, struct connection *c); /* the session, whatever state it is in */

/* from_stream.c. HOT */
void shard_from_stream(struct shard *shard, const struct received *received);
/* What came from the client, whatever state it is in. */
void connection_input(struct shard *shard, struct connection *c, struct bytes data);
void connection_records(struct shard *shard, struct connection *c, struct bytes data);
void connection_frames(struct shard *shard, struct connection *c, struct bytes data);
/* A record was refused: counted, and the connection ends. */
void connection_refuse_record(struct shard *shard, struct connection *c, enum record_reason reason);

/* from_dtls.c. HOT */
void shard_from_dtls(struct shard *shard, const struct received *received);
/* A datagram of an open association. */
void connection_datagram(struct shard *shard, struct connection *c, struct bytes datagram, uint8_t tos);

/* from_proxied.c */
void shard_from_proxied(struct shard *shard, const struct received *received);

/* to_connection.c. HOT */
void shard_to_connection(struct shard *shard, const struct flow *flow, struct departure *departure);
/* One datagram from the listener's socket that this client came to, copied. */
void connection_send_datagram(struct shard *shard, const struct connection *c, struct bytes datagram);

/* output.c */

/* One frame: the departure's packet with this payload. When there is no room, older data is dropped; answers are not. */
void output_append(struct shard *shard, struct connection *c, const struct departure *departure, const uint8_t *payload);
/* Bytes that are sealed already, or belong to the handshake. */
void output_append_sealed(struct shard *shard, struct connection *c, struct bytes bytes);
/* What the record layer itself has to say. */
void output_control(struct shard *shard, struct connection *c);
/* As much as the kernel takes. */
void output_flush(struct shard *shard, struct connection *c);
/* The kernel takes more again. */
void output_unblock(struct shard *shard, struct connection *c);
void outputs_flush(struct shard *shard);
void output_release(struct shard *shard, struct connection *c);

#endif
