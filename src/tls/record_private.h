/*
 * record_private - what the files of the record layer share: names of the wire, nonces, and one function per version and direction.
 */
#ifndef UTURN_TLS_RECORD_PRIVATE_H
#define UTURN_TLS_RECORD_PRIVATE_H

#include <endian.h>

#include "tls/record.h"

enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };
enum { TLS_HEADER_SIZE = 5, DTLS_HEADER_SIZE = 13, EXPLICIT_NONCE_SIZE = 8 };
enum { VERSION_TLS_1_2 = 0x0303, VERSION_DTLS_1_2 = 0xfefd };
enum { ALERT_WARNING = 1, ALERT_FATAL = 2 };

/* What record_control has to say. */
enum { CONTROL_KEY_UPDATE = 1, CONTROL_NO_RENEGOTIATION = 2 };

/* What a record that brings nothing adds to record_layer.idle, and where the connection ends: at 33 empty records or 17 key updates
 * in a row. A record with data takes one off, so that a little data between them does not pay for them. */
enum { IDLE_EMPTY = 2, IDLE_KEY_UPDATE = 4, IDLE_MAX = 64 };

/* RFC 8446 Section 5.5 puts the limit of AES-GCM at 2^24.5 full records under one key; a new key is due well before that. */
#define KEY_UPDATE_DUE ((UINT64_C(1) << 24) - (UINT64_C(1) << 16))

static inline uint16_t load_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void store_u16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void store_u64(uint8_t *p, uint64_t value)
{
	uint64_t big = htobe64(value);
	memcpy(p, &big, sizeof big);
}

/* RFC 8446 Section 5.3, RFC 7905 Section 2: the IV, its last eight bytes XORed with the record's number. */
static inline void nonce_xor(const uint8_t iv[static AEAD_NONCE_SIZE], uint64_t number, uint8_t ret_nonce[static AEAD_NONCE_SIZE])
{
	uint64_t tail;
	memcpy(&tail, iv + 4, sizeof tail);
	tail ^= htobe64(number);
	memcpy(ret_nonce, iv, 4);
	memcpy(ret_nonce + 4, &tail, sizeof tail);
}

/* TLS 1.2 and DTLS 1.2: bytes between the header and the payload. */
static inline size_t explicit_nonce_size(const struct record_layer *r)
{
	return r->keys.aead == AEAD_CHACHA20_POLY1305 ? 0 : EXPLICIT_NONCE_SIZE;
}

static inline enum record_verdict record_refuse(enum record_reason reason, enum record_reason *ret_reason)
{
	*ret_reason = reason;
	return RECORD_REFUSED;
}

/* TLS: is the record at data[0..size) all there, and may it be? RECORD_DATA: it is there and has *ret_size bytes. */
enum record_verdict record_frame(uint8_t type_min, size_t body_min, size_t body_max, const uint8_t *data, size_t size,
	size_t *ret_size, enum record_reason *ret_reason);

enum record_verdict record_open_tls12(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason);
enum record_verdict record_open_tls13(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason);
enum record_verdict record_open_dtls(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason);

/* What is inside a record whose tag was right: data, or something that the record layer sees to itself. */
enum record_verdict record_take(
	struct record_layer *r, uint8_t type, struct bytes content, struct bytes *ret_plain, enum record_reason *ret_reason);
/* Adds to record_layer.idle. False: enough of it. */
bool record_idle(struct record_layer *r, unsigned cost);
/* The handshake messages that a client may send after the handshake. */
enum record_verdict record_take_key_update(struct record_layer *r, struct bytes message, enum record_reason *ret_reason);
size_t record_send_key_update(struct record_layer *r, uint8_t *out);

/* Any type, without a look at the limits but for the sequence number. Returns the record's size; 0: the numbers are used up. */
size_t record_seal_as(struct record_layer *r, uint8_t type, uint8_t *plain, size_t size);
void record_seal_tls13(struct record_layer *r, uint8_t type, uint8_t *plain, size_t size);

/* The AEAD construction that TLS 1.2 and DTLS 1.2 share (RFC 5246 Section 6.2.3.3). `number` is the sequence number, with the
 * epoch in its upper 16 bits for DTLS; `head` has type and version, the first three bytes of the header. `body`: all behind the
 * header, at least explicit nonce and tag. */
bool record_open_aead(struct record_layer *r, uint64_t number, const uint8_t head[static 3], uint8_t *body, size_t size,
	struct bytes *ret_content) __attribute__((warn_unused_result));
void record_seal_aead(struct record_layer *r, uint64_t number, const uint8_t head[static 3], uint8_t *plain, size_t size);

#endif
