/*
 * mbedtls_compat - the difference between mbedTLS 2.28 and 3.x, absorbed: our sources are written against 3.x.
 *
 * The digests are used directly and not through mbedtls_md, whose contexts live on the heap.
 */
#ifndef UTURN_CRYPTO_MBEDTLS_COMPAT_H
#define UTURN_CRYPTO_MBEDTLS_COMPAT_H

#include <mbedtls/base64.h>
#include <mbedtls/md5.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_MAJOR < 3
/* In 2.x the plain names are deprecated and return nothing; 3.x gave them the meaning of 2.x's _ret names. */
#define mbedtls_md5_starts mbedtls_md5_starts_ret
#define mbedtls_md5_update mbedtls_md5_update_ret
#define mbedtls_md5_finish mbedtls_md5_finish_ret
#define mbedtls_sha1_starts mbedtls_sha1_starts_ret
#define mbedtls_sha1_update mbedtls_sha1_update_ret
#define mbedtls_sha1_finish mbedtls_sha1_finish_ret
#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#define mbedtls_sha256_update mbedtls_sha256_update_ret
#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

#endif
