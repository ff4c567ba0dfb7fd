/*
 * record_rig - records as a peer makes and reads them, built on mbedTLS: nothing of the record layer or of libcrypto is in them.
 */
#ifndef UTURN_TESTS_RECORD_RIG_H
#define UTURN_TESTS_RECORD_RIG_H

#include "exact_copy.h"
#include "tls/record.h"

enum { CCS = 20, ALERT = 21, HANDSHAKE = 22, DATA = 23 };

/* "0a0b…" as bytes; blanks are skipped. Returns how many. */
size_t rig_hex(const char *text, uint8_t *ret_bytes, size_t size_max);

/* Keys that depend on the arguments and nothing else, as a handshake would leave them. */
struct tls_keys rig_keys(enum tls_version version, enum aead_kind aead);

/* A server's record layer and the keys of its client: client.write fits server.read. */
struct rig_peer {
	struct record_layer server;
	struct tls_keys client;
};
void rig_peer_init(struct rig_peer *p, enum tls_version version, enum aead_kind aead);
void rig_peer_done(struct rig_peer *p);

/* AEAD by mbedTLS, in place; the tag follows the data. */
void rig_seal_bytes(
	enum aead_kind aead, const uint8_t *key, const uint8_t *nonce, struct bytes additional, uint8_t *data, size_t size);
bool rig_open_bytes(
	enum aead_kind aead, const uint8_t *key, const uint8_t *nonce, struct bytes additional, uint8_t *data, size_t size);

/* The client's record number `number` (DTLS: in epoch 1), in a heap block of exactly its size, to be given back with
 * exact_copy_free. `padding`: TLS 1.3. */
struct bytes rig_forge(
	const struct tls_keys *client, uint64_t number, uint8_t type, const void *content, size_t size, size_t padding);
/* The same, with the client's next number. */
struct bytes rig_send(struct rig_peer *p, uint8_t type, const void *content, size_t size);
/* Reads the server's next record as its client would; false when the tag or anything else of it is wrong. */
bool rig_read(struct rig_peer *p, struct bytes record, uint8_t *ret_type, struct bytes *ret_content);

/* Opens a record that is freed afterwards; what was inside is in `plain` until the next call. The reason is checked too. */
struct rig_opened {
	enum record_verdict verdict;
	enum record_reason reason;
	size_t size;
	struct bytes plain;
};
struct rig_opened rig_open(struct rig_peer *p, struct bytes record);
struct rig_opened rig_deliver(struct rig_peer *p, uint8_t type, const void *content, size_t size);

/* What record_seal makes of it, in a heap block of exactly its size. */
struct bytes rig_seal(struct rig_peer *p, const void *plain, size_t size);

#endif
