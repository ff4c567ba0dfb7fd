/*
 * HOT: the way in and out of every version, and what is inside of a record once its tag was right.
 */
#include <assert.h>

#include "record_private.h"

enum { MESSAGE_CLIENT_HELLO = 1, RENEGOTIATIONS_MAX = 3 };

enum alert {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_DECODE_ERROR = 50,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_USER_CANCELED = 90,
	ALERT_NO_RENEGOTIATION = 100,
};

/* close_notify for all that is not the peer's fault. */
static const struct {
	const char *name;
	enum alert alert;
} reasons[RECORD_REASONS] = {
	[RECORD_FINE] = {"fine", ALERT_CLOSE_NOTIFY},
	[RECORD_BAD_MAC] = {"bad_mac", ALERT_BAD_RECORD_MAC},
	[RECORD_OVERSIZED] = {"oversized", ALERT_RECORD_OVERFLOW},
	[RECORD_MALFORMED] = {"malformed", ALERT_DECODE_ERROR},
	[RECORD_UNEXPECTED] = {"unexpected", ALERT_UNEXPECTED_MESSAGE},
	[RECORD_RENEGOTIATION] = {"renegotiation", ALERT_HANDSHAKE_FAILURE},
	[RECORD_KEY_LIMIT] = {"key_limit", ALERT_CLOSE_NOTIFY},
	[RECORD_PEER_ALERT] = {"peer_alert", ALERT_CLOSE_NOTIFY},
	[RECORD_NO_MEMORY] = {"no_memory", ALERT_INTERNAL_ERROR},
	[RECORD_REPLAYED] = {"replayed", ALERT_CLOSE_NOTIFY},
	[RECORD_TOO_OLD] = {"too_old", ALERT_CLOSE_NOTIFY},
	[RECORD_OTHER_EPOCH] = {"other_epoch", ALERT_CLOSE_NOTIFY},
};

/*
 * How many records one key may seal, and the sequence number that must not be reached. TLS 1.3: RFC 8446 Section 5.5. TLS 1.2 and
 * DTLS 1.2 cannot change the key and name no limit but the sequence number's; 2^36 packets of 1200 bytes leave an attacker of
 * AES-GCM an advantage below 2^-40.
 */
static const struct {
	uint64_t sealed, sequence;
} limits[TLS_VERSIONS] = {
	[TLS_VERSION_1_2] = {UINT64_C(1) << 36, UINT64_MAX},
	[TLS_VERSION_1_3] = {UINT64_C(1) << 24, UINT64_MAX},
	[TLS_VERSION_DTLS_1_2] = {UINT64_C(1) << 36, UINT64_C(1) << 48},
};

const char *record_reason_name(enum record_reason reason)
{
	return reasons[reason].name;
}

bool record_init(struct record_layer *r, const struct tls_keys *keys)
{
	bool dtls = keys->version == TLS_VERSION_DTLS_1_2, tls13 = keys->version == TLS_VERSION_1_3;
	*r = (struct record_layer){.keys = *keys};
	r->read = aead_create(keys->aead, AEAD_OPEN, keys->read.key);
	r->write = aead_create(keys->aead, AEAD_SEAL, keys->write.key);
	struct tls_direction_keys *directions[] = {&r->keys.read, &r->keys.write};
	for (size_t i = 0; i < 2; i++) {
		bytes_wipe(directions[i]->key, sizeof directions[i]->key);
		if (!tls13)
			bytes_wipe(directions[i]->secret, sizeof directions[i]->secret);
	}
	r->head_size = (uint8_t)((dtls ? DTLS_HEADER_SIZE : TLS_HEADER_SIZE) + (tls13 ? 0 : explicit_nonce_size(r)));
	r->tail_size = tls13 ? 1 + AEAD_TAG_SIZE : AEAD_TAG_SIZE;
	r->plain_max = keys->plain_max != 0 ? keys->plain_max : RECORD_PLAIN_MAX;
	r->window = UINT64_MAX; /* what lies below the first number was the handshake's */
	if (r->read && r->write)
		return true;
	record_done(r);
	return false;
}

void record_done(struct record_layer *r)
{
	aead_free(r->read);
	aead_free(r->write);
	bytes_wipe(r, sizeof *r);
}

enum record_verdict record_frame(uint8_t type_min, size_t body_min, size_t body_max, const uint8_t *data, size_t size,
	size_t *ret_size, enum record_reason *ret_reason)
{
	*ret_size = TLS_HEADER_SIZE;
	if (size < TLS_HEADER_SIZE)
		return RECORD_INCOMPLETE;
	size_t body_size = load_u16(data + 3);
	if (data[0] < TYPE_CHANGE_CIPHER_SPEC || data[0] > TYPE_DATA || load_u16(data + 1) != VERSION_TLS_1_2)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	if (body_size > body_max)
		return record_refuse(RECORD_OVERSIZED, ret_reason);
	if (data[0] < type_min)
		return record_refuse(RECORD_UNEXPECTED, ret_reason);
	if (body_size < body_min)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	*ret_size = TLS_HEADER_SIZE + body_size;
	return size < *ret_size ? RECORD_INCOMPLETE : RECORD_DATA;
}

bool record_idle(struct record_layer *r, unsigned cost)
{
	if (r->keys.version == TLS_VERSION_DTLS_1_2) /* no dearer than any other datagram */
		return true;
	if (r->idle + cost > IDLE_MAX)
		return false;
	r->idle = (uint8_t)(r->idle + cost);
	return true;
}

static enum record_verdict take_alert(struct record_layer *r, struct bytes alert, enum record_reason *ret_reason)
{
	if (alert.size != 2 || alert.data[0] < ALERT_WARNING || alert.data[0] > ALERT_FATAL)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	if (alert.data[1] == ALERT_CLOSE_NOTIFY)
		return RECORD_CLOSED;
	/* RFC 8446 Section 6: TLS 1.3 has no warnings but for these two, whatever the level says. */
	bool warning = alert.data[0] == ALERT_WARNING;
	if (r->keys.version == TLS_VERSION_1_3)
		warning = alert.data[1] == ALERT_USER_CANCELED;
	if (!warning)
		return record_refuse(RECORD_PEER_ALERT, ret_reason);
	return record_idle(r, IDLE_EMPTY) ? RECORD_CONTROL : record_refuse(RECORD_UNEXPECTED, ret_reason);
}

/* RFC 5746 Section 5.3 lets a server refuse to renegotiate; RFC 5246 Section 7.2.2 gives the warning to do it with. */
static enum record_verdict take_renegotiation(struct record_layer *r, struct bytes message, enum record_reason *ret_reason)
{
	if (message.data[0] != MESSAGE_CLIENT_HELLO)
		return record_refuse(RECORD_UNEXPECTED, ret_reason);
	if (r->renegotiations >= RENEGOTIATIONS_MAX)
		return record_refuse(RECORD_RENEGOTIATION, ret_reason);
	r->renegotiations++;
	r->control |= CONTROL_NO_RENEGOTIATION;
	*ret_reason = RECORD_RENEGOTIATION;
	return RECORD_CONTROL;
}

enum record_verdict record_take(
	struct record_layer *r, uint8_t type, struct bytes content, struct bytes *ret_plain, enum record_reason *ret_reason)
{
	if (type == TYPE_DATA) {
		if (content.size == 0 && !record_idle(r, IDLE_EMPTY))
			return record_refuse(RECORD_UNEXPECTED, ret_reason);
		if (content.size > 0 && r->idle > 0)
			r->idle--;
		*ret_plain = content;
		return RECORD_DATA;
	}
	if (type == TYPE_ALERT)
		return take_alert(r, content, ret_reason);
	if (type != TYPE_HANDSHAKE)
		return record_refuse(RECORD_UNEXPECTED, ret_reason);
	if (content.size == 0) /* RFC 8446 Section 5.1, RFC 5246 Section 6.2.1 */
		return record_refuse(RECORD_MALFORMED, ret_reason);
	return r->keys.version == TLS_VERSION_1_3 ? record_take_key_update(r, content, ret_reason)
						  : take_renegotiation(r, content, ret_reason);
}

enum record_verdict record_open(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason)
{
	*ret_reason = RECORD_FINE;
	switch (r->keys.version) {
	case TLS_VERSION_1_2:
		return record_open_tls12(r, data, size, ret_plain, ret_size, ret_reason);
	case TLS_VERSION_1_3:
		return record_open_tls13(r, data, size, ret_plain, ret_size, ret_reason);
	default:
		return record_open_dtls(r, data, size, ret_plain, ret_size, ret_reason);
	}
}

/* The header of TLS 1.2 or DTLS 1.2, and what stands behind it. */
static void seal_12(struct record_layer *r, uint8_t type, uint8_t *plain, size_t size)
{
	bool dtls = r->keys.version == TLS_VERSION_DTLS_1_2;
	uint64_t number = r->keys.write.sequence | (dtls ? UINT64_C(1) << 48 : 0);
	uint8_t *header = plain - r->head_size;
	header[0] = type;
	store_u16(header + 1, dtls ? VERSION_DTLS_1_2 : VERSION_TLS_1_2);
	if (dtls)
		store_u64(header + 3, number);
	store_u16(header + (dtls ? DTLS_HEADER_SIZE : TLS_HEADER_SIZE) - 2, explicit_nonce_size(r) + size + AEAD_TAG_SIZE);
	record_seal_aead(r, number, header, plain, size);
}

size_t record_seal_as(struct record_layer *r, uint8_t type, uint8_t *plain, size_t size)
{
	if (r->keys.write.sequence >= limits[r->keys.version].sequence)
		return 0;
	if (r->keys.version == TLS_VERSION_1_3)
		record_seal_tls13(r, type, plain, size);
	else
		seal_12(r, type, plain, size);
	r->keys.write.sequence++;
	r->sealed++;
	return r->head_size + size + r->tail_size;
}

size_t record_seal(struct record_layer *r, uint8_t *plain, size_t size)
{
	assert(size <= r->plain_max);
	if (r->write_closed || r->sealed >= limits[r->keys.version].sealed)
		return 0;
	size_t record_size = record_seal_as(r, TYPE_DATA, plain, size);
	if (r->keys.version == TLS_VERSION_1_3 && r->sealed >= KEY_UPDATE_DUE)
		r->control |= CONTROL_KEY_UPDATE;
	return record_size;
}

static size_t seal_alert(struct record_layer *r, uint8_t level, enum alert alert, uint8_t *out)
{
	out[r->head_size] = level;
	out[r->head_size + 1] = (uint8_t)alert;
	return record_seal_as(r, TYPE_ALERT, out + r->head_size, 2);
}

size_t record_control(struct record_layer *r, uint8_t out[static RECORD_CONTROL_SIZE_MAX])
{
	size_t size = 0;
	bool done = true;
	if (!record_has_control(r))
		return 0;
	if (r->control & CONTROL_NO_RENEGOTIATION) {
		size = seal_alert(r, ALERT_WARNING, ALERT_NO_RENEGOTIATION, out);
	} else {
		size = record_send_key_update(r, out);
		done = size > 0;
	}
	if (done)
		r->control = 0;
	return size;
}

size_t record_close(struct record_layer *r, enum record_reason reason, uint8_t out[static RECORD_CONTROL_SIZE_MAX])
{
	if (r->write_closed)
		return 0;
	r->write_closed = true;
	/* RFC 8446 Section 6.2: after a fatal alert nothing more is sent in either direction. */
	if (reason == RECORD_PEER_ALERT)
		return 0;
	enum alert alert = reasons[reason].alert;
	return seal_alert(r, alert == ALERT_CLOSE_NOTIFY ? ALERT_WARNING : ALERT_FATAL, alert, out);
}
