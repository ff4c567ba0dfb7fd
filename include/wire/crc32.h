/*
 * crc32 - the CRC of FINGERPRINT (RFC 8489 Section 14.7, ITU V.42).
 */
#ifndef UTURN_WIRE_CRC32_H
#define UTURN_WIRE_CRC32_H

#include "base/bytes.h"

/* The CRC of the whole run, before the XOR with 0x5354554E. */
uint32_t crc32(struct bytes data);

#endif
