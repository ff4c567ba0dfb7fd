/*
 * record - the record layer after the handshake: TLS 1.2 (RFC 5246, 5288, 7905), TLS 1.3 (RFC 8446) and DTLS 1.2 (RFC 6347), AEAD
 * only.
 *
 * Records are opened and sealed where they lie: the payload of a packet is never moved. What follows from owning the records is
 * here too: sequence numbers, the replay window, alerts and close_notify, key updates, refusal of renegotiation, limits per key.
 *
 * Owns:     two AEAD keys (on the heap, through tls/aead.h). Nothing is allocated per record; a key update allocates.
 * Threads:  one.
 */
#ifndef UTURN_TLS_RECORD_H
#define UTURN_TLS_RECORD_H

#include "tls/keys.h"

enum {
	RECORD_PLAIN_MAX = 16384, /* RFC 8446 Section 5.1 */
	RECORD_PLAIN_MIN = 512,   /* the least that a client may have it limited to (RFC 6066 Section 4) */
	RECORD_HEAD_MAX = 13 + 8, /* header and explicit nonce: what lies in front of the payload at most (DTLS 1.2) */
	RECORD_TAIL_MAX = 1 + 16, /* content type (TLS 1.3) and tag: what lies behind it at most */
	RECORD_SIZE_MAX = 5 + RECORD_PLAIN_MAX + 256, /* no TLS record that is accepted is longer, header included */
	RECORD_CONTROL_SIZE_MAX = 64,                 /* an alert or a key update, sealed */
};

/* Why a record was not taken: counted by the caller. */
enum record_reason {
	RECORD_FINE,
	/* TLS: the connection ends. DTLS: the datagram is dropped, and nothing else happens (RFC 6347 Section 4.1.2.7). */
	RECORD_BAD_MAC,
	RECORD_OVERSIZED,     /* longer than the RFC allows */
	RECORD_MALFORMED,     /* too short, an unknown type or version, an empty handshake message, padding without a type */
	RECORD_UNEXPECTED,    /* a content type or handshake message that has no place here; too many records that bring nothing */
	RECORD_RENEGOTIATION, /* TLS 1.2: refused with no_renegotiation, the connection goes on; too often and it ends */
	RECORD_KEY_LIMIT,     /* a key has protected or refused as much as it may */
	RECORD_PEER_ALERT,    /* a fatal one */
	RECORD_NO_MEMORY,     /* for the next key */
	/* DTLS only */
	RECORD_REPLAYED, /* seen before */
	RECORD_TOO_OLD,  /* behind the replay window */
	RECORD_OTHER_EPOCH,
	RECORD_REASONS
};
const char *record_reason_name(enum record_reason reason); /* "bad_mac": a metric's label */

enum record_verdict {
	RECORD_DATA,       /* *ret_plain: application data, inside the record; may be empty */
	RECORD_INCOMPLETE, /* TLS: *ret_size is how many bytes the record has, or 5 when its header is not there yet */
	RECORD_CONTROL,    /* taken care of, nothing for the caller but record_control() */
	RECORD_HANDSHAKE,  /* DTLS: a handshake or ChangeCipherSpec record, for the session if it still lives; not opened */
	RECORD_CLOSED,     /* close_notify */
	RECORD_REFUSED,    /* see *ret_reason */
};

struct record_layer {
	struct aead *read, *write;
	struct tls_keys keys;     /* of TLS 1.3: secrets for the next generation; of the others: IVs and sequence numbers only */
	uint64_t window;          /* DTLS: a bit for each of the 64 sequence numbers below read.sequence that was seen */
	uint64_t sealed, refused; /* records under the present write key; records that the present read key did not fit */
	uint16_t plain_max;       /* bytes of one record to the client */
	uint8_t head_size;        /* bytes in front of a sealed payload */
	uint8_t tail_size;        /* bytes behind it */
	uint8_t renegotiations;
	uint8_t idle;    /* grows with records that bring nothing, shrinks with data; private */
	uint8_t control; /* what record_control has to say; private */
	bool write_closed;
};

/* Takes the keys (and wipes the parts that it does not keep from its copy; the caller wipes *keys). False: no memory. */
bool record_init(struct record_layer *r, const struct tls_keys *keys) __attribute__((warn_unused_result));
void record_done(struct record_layer *r); /* harmless on a zeroed one */

/*
 * Opens the record at the start of data[0..size), which is a stream (TLS) or the (rest of a) datagram (DTLS). *ret_size: how many
 * bytes the record takes, on every verdict but RECORD_INCOMPLETE; for DTLS it is never 0 (unless size is), so that a walk ends.
 * *ret_reason is set always. Hot: nothing is allocated but for a key update of TLS 1.3.
 */
enum record_verdict record_open(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason);

/*
 * Seals `size` (at most r->plain_max) bytes at `plain` in place as one record of application data. r->head_size bytes in front
 * of it and r->tail_size behind it are written. The record starts at plain - r->head_size. Returns its size, or 0 when the key's
 * limit is reached (TLS 1.2, DTLS: the connection must end; TLS 1.3 updates its key in time, see record_control) or the write side
 * was closed. Hot.
 */
size_t record_seal(struct record_layer *r, uint8_t *plain, size_t size);

/*
 * What the record layer itself has to say after record_open or record_seal: an answer to a key update, an own key update that is
 * due, a warning that renegotiation is refused. Writes at most RECORD_CONTROL_SIZE_MAX bytes; 0: nothing, or no memory for the next
 * key, which is then tried again at the next call. To be asked before the next record is sealed.
 */
size_t record_control(struct record_layer *r, uint8_t out[static RECORD_CONTROL_SIZE_MAX]);
static inline bool record_has_control(const struct record_layer *r)
{
	return r->control != 0 && !r->write_closed;
}

/* The last record of this side: close_notify (for RECORD_FINE, and for what is no fault of the peer's), or the fatal alert that
 * tells of `reason` (RFC 8446 Section 6). Nothing can be sealed after it. Returns the size; 0: nothing is to be said, since the
 * peer has ended the connection with a fatal alert or this side has closed before. */
size_t record_close(struct record_layer *r, enum record_reason reason, uint8_t out[static RECORD_CONTROL_SIZE_MAX]);

#endif
