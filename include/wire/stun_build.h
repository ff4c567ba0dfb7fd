/*
 * stun_build - writing a STUN message. Lengths and padding are the builder's business; padding is zero, so that no
 * memory leaks out with it (as in CVE-2020-4067).
 *
 * Integrity: stun_build_integrity_begin reserves the attribute, patches the message length as RFC 8489 Section 14.5 asks, and says
 * which bytes to authenticate; the caller (crypto/integrity) fills the MAC in.
 */
#ifndef UTURN_WIRE_STUN_BUILD_H
#define UTURN_WIRE_STUN_BUILD_H

#include "base/addr.h"
#include "wire/cursor.h"
#include "wire/stun_format.h"

struct stun_builder {
	struct writer writer;
};

struct stun_builder stun_build(uint8_t *buffer, size_t size, enum stun_method method, enum stun_class class,
	const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE]);
/* With the sixteen bytes behind the length as they came in the request: cookie and transaction ID, or the ID of RFC 3489. */
struct stun_builder stun_build_answer(uint8_t *buffer, size_t size, enum stun_method method, enum stun_class class,
	const uint8_t request_id[static STUN_CLASSIC_ID_SIZE]);

void stun_build_bytes(struct stun_builder *b, uint16_t type, struct bytes value);
void stun_build_u32(struct stun_builder *b, uint16_t type, uint32_t value);
void stun_build_xor_addr(struct stun_builder *b, uint16_t type, const struct addr *addr);
/* Not XORed: MAPPED-ADDRESS, ALTERNATE-SERVER (RFC 8489 Section 14.1). */
void stun_build_addr(struct stun_builder *b, uint16_t type, const struct addr *addr);
/* `reason` may be empty. */
void stun_build_error_code(struct stun_builder *b, enum stun_error error, struct bytes reason);
void stun_build_unknown_attributes(struct stun_builder *b, const uint16_t *types, size_t count);

/* *ret_covered: the bytes under the MAC. Returns where its mac_size bytes go; NULL when there is no room (the builder fails). */
uint8_t *stun_build_integrity_begin(struct stun_builder *b, uint16_t type, size_t mac_size, struct bytes *ret_covered);

/* Must come last. */
void stun_build_fingerprint(struct stun_builder *b);

/* The finished message; {NULL, 0} when it did not fit. */
struct bytes stun_build_end(struct stun_builder *b);

/*
 * Header of a Data indication (RFC 8656 Section 11.3): STUN header, XOR-PEER-ADDRESS, and the DATA attribute's header, to be
 * followed by `data_size` bytes of data and (4 - data_size % 4) % 4 zero bytes. Hot. Returns the header's size: 36 (IPv4) or 48.
 * Returns 0, with nothing written, for more than DATA_INDICATION_DATA_MAX bytes: the message length would not fit into its 16 bits.
 * A peer can send such a datagram (65507 bytes over IPv4), so the caller must check.
 */
enum { DATA_INDICATION_HEADER_MAX = 48, DATA_INDICATION_DATA_MAX = 65500 };
unsigned stun_data_indication_header(uint8_t header[static DATA_INDICATION_HEADER_MAX], const struct addr *peer, uint16_t data_size,
	const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE]);

#endif
