/*
 * transaction - what an answer needs to know of the request it answers, and a request on its way through the handlers.
 */
#ifndef UTURN_TURN_TRANSACTION_H
#define UTURN_TURN_TRANSACTION_H

#include "crypto/credentials.h"
#include "crypto/integrity.h"
#include "turn/turn.h"

struct transaction {
	uint8_t id[STUN_CLASSIC_ID_SIZE]; /* cookie and transaction ID, or what RFC 3489 has there: echoed as they came */
	uint16_t method;
	uint8_t integrity; /* enum integrity; INTEGRITY_NONE: the request was not authenticated, and so the answer is not */
	bool fingerprint;
	uint8_t key[LONG_TERM_KEY_SIZE];
};

struct allocation;

/* Handlers read this; `authenticate` fills in who it is from. */
struct request {
	struct turn *t;
	const struct flow *flow;
	const struct stun_view *view;
	const struct moment *now;
	struct turn_out *out;
	struct allocation *allocation; /* of this flow, opening or live; NULL: none */
	struct transaction transaction;
	struct bytes username;
	uint64_t user;  /* hash that quotas count by */
	uint64_t realm; /* hash */
	enum verdict verdict;
};

#endif
