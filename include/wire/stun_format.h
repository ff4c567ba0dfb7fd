/*
 * stun_format - the wire format of STUN (RFC 8489) and TURN (RFC 8656), drawn.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |0 0|     STUN message type     |  message length (after header)|   RFC 8489 Section 5
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                  magic cookie 0x2112A442                      |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                transaction ID (96 bits)                       |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * attributes: type (16), length without padding (16), value, padding to 4 bytes   RFC 8489 Section 14
 *
 * ChannelData: channel number (16), length (16), data; padded to 4 over streams   RFC 8656 Section 12.4
 */
#ifndef UTURN_WIRE_STUN_FORMAT_H
#define UTURN_WIRE_STUN_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STUN_HEADER_SIZE = 20,
	STUN_TRANSACTION_ID_SIZE = 12,
	STUN_CLASSIC_ID_SIZE = 16, /* RFC 3489 Section 11.1: from where the cookie stands since */
	STUN_ATTRIBUTE_HEADER_SIZE = 4,
	STUN_INTEGRITY_SHA1_SIZE = 20,
	STUN_FINGERPRINT_SIZE = 4,
	STUN_USERNAME_SIZE_MAX = 508, /* RFC 8489 Section 14.3: less than 509 bytes */
	CHANNEL_DATA_HEADER_SIZE = 4,
	/*
	 * RFC 8656 Section 12 ends the range at 0x4FFF, RFC 5766 Section 11 at 0x7FFF. Clients of the older one draw their numbers
	 * from all of it, and nothing else that reaches a TURN listener starts with such a byte: docs/decisions/0007.
	 */
	CHANNEL_NUMBER_MIN = 0x4000,
	CHANNEL_NUMBER_MAX = 0x7FFF,
};

#define STUN_MAGIC_COOKIE 0x2112A442u
#define STUN_FINGERPRINT_XOR 0x5354554Eu

/* RFC 8489 Section 5: the two class bits, as they stand when gathered. */
enum stun_class { STUN_REQUEST = 0, STUN_INDICATION = 1, STUN_SUCCESS = 2, STUN_ERROR_RESPONSE = 3 };

/* RFC 8489 Section 18.1, RFC 8656 Section 17 */
enum stun_method {
	STUN_BINDING = 0x001,
	STUN_ALLOCATE = 0x003,
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
};

enum stun_attribute_type {
	STUN_ATTR_MAPPED_ADDRESS = 0x0001,
	STUN_ATTR_CHANGE_REQUEST = 0x0003, /* RFC 3489 Section 11.2.4 */
	STUN_ATTR_USERNAME = 0x0006,
	STUN_ATTR_MESSAGE_INTEGRITY = 0x0008,
	STUN_ATTR_ERROR_CODE = 0x0009,
	STUN_ATTR_UNKNOWN_ATTRIBUTES = 0x000A,
	STUN_ATTR_CHANNEL_NUMBER = 0x000C,
	STUN_ATTR_LIFETIME = 0x000D,
	STUN_ATTR_XOR_PEER_ADDRESS = 0x0012,
	STUN_ATTR_DATA = 0x0013,
	STUN_ATTR_REALM = 0x0014,
	STUN_ATTR_NONCE = 0x0015,
	STUN_ATTR_XOR_RELAYED_ADDRESS = 0x0016,
	STUN_ATTR_REQUESTED_ADDRESS_FAMILY = 0x0017,
	STUN_ATTR_EVEN_PORT = 0x0018,
	STUN_ATTR_REQUESTED_TRANSPORT = 0x0019,
	STUN_ATTR_DONT_FRAGMENT = 0x001A,
	STUN_ATTR_MESSAGE_INTEGRITY_SHA256 = 0x001C,
	STUN_ATTR_XOR_MAPPED_ADDRESS = 0x0020,
	STUN_ATTR_RESERVATION_TOKEN = 0x0022,
	STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
	STUN_ATTR_ADDRESS_ERROR_CODE = 0x8001,
	STUN_ATTR_SOFTWARE = 0x8022,
	STUN_ATTR_ALTERNATE_SERVER = 0x8023,
	STUN_ATTR_FINGERPRINT = 0x8028,
};

/* RFC 8489 Section 14: types below 0x8000 must be understood. */
static inline bool stun_comprehension_required(unsigned type)
{
	return type < 0x8000;
}

/*
 * Of the types that must be understood, those of RFC 8489 and RFC 8656. One that is known but has no business in a message is
 * ignored; one that is not known makes the message one that cannot be processed (RFC 8489 Section 6.3).
 */
static inline bool stun_attribute_known(unsigned type)
{
	/* clang-format off */
	const uint64_t known =
		UINT64_C(1) << STUN_ATTR_MAPPED_ADDRESS        | UINT64_C(1) << STUN_ATTR_USERNAME |
		UINT64_C(1) << STUN_ATTR_MESSAGE_INTEGRITY     | UINT64_C(1) << STUN_ATTR_ERROR_CODE |
		UINT64_C(1) << STUN_ATTR_UNKNOWN_ATTRIBUTES    | UINT64_C(1) << STUN_ATTR_CHANNEL_NUMBER |
		UINT64_C(1) << STUN_ATTR_LIFETIME              | UINT64_C(1) << STUN_ATTR_XOR_PEER_ADDRESS |
		UINT64_C(1) << STUN_ATTR_DATA                  | UINT64_C(1) << STUN_ATTR_REALM |
		UINT64_C(1) << STUN_ATTR_NONCE                 | UINT64_C(1) << STUN_ATTR_XOR_RELAYED_ADDRESS |
		UINT64_C(1) << STUN_ATTR_REQUESTED_ADDRESS_FAMILY | UINT64_C(1) << STUN_ATTR_EVEN_PORT |
		UINT64_C(1) << STUN_ATTR_REQUESTED_TRANSPORT   | UINT64_C(1) << STUN_ATTR_DONT_FRAGMENT |
		UINT64_C(1) << STUN_ATTR_MESSAGE_INTEGRITY_SHA256 | UINT64_C(1) << STUN_ATTR_XOR_MAPPED_ADDRESS |
		UINT64_C(1) << STUN_ATTR_RESERVATION_TOKEN;
	/* clang-format on */
	return type < 64 && (known >> type & 1) != 0;
}

/* RFC 8489 Section 14.8, RFC 8656 Section 19. STUN_OK is "no error"; never on the wire. */
enum stun_error {
	STUN_OK = 0,
	STUN_TRY_ALTERNATE = 300,
	STUN_BAD_REQUEST = 400,
	STUN_UNAUTHENTICATED = 401,
	STUN_FORBIDDEN = 403,
	STUN_UNKNOWN_ATTRIBUTE = 420,
	STUN_ALLOCATION_MISMATCH = 437,
	STUN_STALE_NONCE = 438,
	STUN_ADDRESS_FAMILY_NOT_SUPPORTED = 440,
	STUN_WRONG_CREDENTIALS = 441,
	STUN_UNSUPPORTED_TRANSPORT = 442,
	STUN_PEER_ADDRESS_FAMILY_MISMATCH = 443,
	STUN_ALLOCATION_QUOTA_REACHED = 486,
	STUN_SERVER_ERROR = 500,
	STUN_INSUFFICIENT_CAPACITY = 508,
};

/* Address families on the wire: RFC 8489 Section 14.1, RFC 8656 Section 18.6 */
enum { STUN_FAMILY_IPV4 = 0x01, STUN_FAMILY_IPV6 = 0x02 };

/* REQUESTED-TRANSPORT carries an IANA protocol number. */
enum { STUN_TRANSPORT_UDP = 17 };

_Static_assert(CHANNEL_NUMBER_MAX < 0x8000, "ChannelData's first byte must stay apart from RTP's (RFC 7983 Section 7)");

#endif
