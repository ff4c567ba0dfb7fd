/*
 * The budget of a record: no heap, neither of ours nor of libcrypto's. And what becomes of keys when the heap has nothing to give.
 */
#include <criterion/criterion.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "tls/record.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static unsigned heap_calls;
static bool no_memory; /* for libcrypto */

void *__wrap_malloc(size_t size)
{
	heap_calls++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	heap_calls++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	heap_calls++;
	return __real_realloc(memory, size);
}

static void *libcrypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return no_memory ? NULL : malloc(size);
}

static void *libcrypto_realloc(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return no_memory ? NULL : realloc(memory, size);
}

static void libcrypto_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

enum { RECORDS = 1000, SIZE = 1200, ROOM = 64 };

/* Works only before libcrypto has taken anything, and Criterion itself makes it do so. */
__attribute__((constructor)) static void count_what_libcrypto_takes(void)
{
	if (CRYPTO_set_mem_functions(libcrypto_malloc, libcrypto_realloc, libcrypto_free) != 1)
		abort();
}

/* A record layer whose own records it can open. */
static void init(struct record_layer *r, enum tls_version version, enum aead_kind aead)
{
	struct tls_keys keys = {.version = version, .aead = aead, .read.sequence = 1, .write.sequence = 1};
	cr_assert(record_init(r, &keys));
}

Test(record_budget, is_told_of_what_libcrypto_takes_from_the_heap)
{
	struct record_layer r;
	init(&r, TLS_VERSION_1_2, AEAD_AES_128_GCM);
	cr_assert_gt(heap_calls, 0);
	record_done(&r);
}

static void seal_and_open(enum tls_version version, enum aead_kind aead)
{
	static uint8_t buffer[SIZE + ROOM];
	struct record_layer r;
	init(&r, version, aead);
	heap_calls = 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		struct bytes plain;
		size_t size = record_seal(&r, buffer + r.head_size, SIZE), record_size;
		enum record_reason reason;
		cr_assert_eq(record_open(&r, buffer, size, &plain, &record_size, &reason), RECORD_DATA);
		cr_assert_eq(plain.data, buffer + r.head_size);
	}
	cr_expect_eq(heap_calls, 0, "version %d, cipher %d: %u calls", version, aead, heap_calls);
	record_done(&r);
}

Test(record_budget, of_sealing_and_opening_has_no_heap)
{
	for (enum tls_version version = 0; version < TLS_VERSIONS; version++) {
		for (enum aead_kind aead = 0; aead < AEAD_KINDS; aead++)
			seal_and_open(version, aead);
	}
}

Test(record_budget, of_refusing_forgeries_has_no_heap)
{
	static uint8_t buffer[SIZE + ROOM];
	struct record_layer r;
	init(&r, TLS_VERSION_DTLS_1_2, AEAD_AES_128_GCM);
	heap_calls = 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		struct bytes plain;
		size_t size = record_seal(&r, buffer + r.head_size, SIZE), record_size;
		enum record_reason reason;
		buffer[size - 1] ^= 1;
		cr_assert_eq(record_open(&r, buffer, size, &plain, &record_size, &reason), RECORD_REFUSED);
	}
	cr_expect_eq(heap_calls, 0);
	record_done(&r);
}

Test(record_budget, of_a_layer_without_memory_is_nothing)
{
	static const struct record_layer zeroed;
	struct tls_keys keys = {.version = TLS_VERSION_1_3};
	struct record_layer r;
	init(&r, TLS_VERSION_1_3, AEAD_AES_128_GCM); /* libcrypto itself starts with memory, or not at all */
	record_done(&r);
	no_memory = true;
	cr_expect_not(record_init(&r, &keys));
	no_memory = false;
	cr_expect_eq(memcmp(&r, &zeroed, sizeof r), 0);
}

/* Both sides share one secret, so that one layer can read what another one says. */
Test(record_budget, of_a_key_update_without_memory_refuses_the_peers_and_puts_off_the_own)
{
	uint8_t out[RECORD_CONTROL_SIZE_MAX], buffer[SIZE + ROOM];
	struct record_layer r, peer;
	struct bytes plain;
	size_t size;
	enum record_reason reason;
	init(&r, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	init(&peer, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	r.sealed = (1u << 24) - 2;
	cr_assert_gt(record_seal(&r, buffer + r.head_size, 1), 0);
	peer.keys.read.sequence++;
	cr_assert(record_has_control(&r));
	no_memory = true;
	cr_expect_eq(record_control(&r, out), 0);
	cr_expect(record_has_control(&r), "it is tried again");
	size = record_seal(&r, buffer + r.head_size, 1);
	cr_assert_eq(record_open(&peer, buffer, size, &plain, &size, &reason), RECORD_DATA, "the old key is still in use");
	no_memory = false;
	size = record_control(&r, out);
	cr_expect(size > 0 && !record_has_control(&r));
	no_memory = true;
	cr_expect_eq(record_open(&peer, out, size, &plain, &size, &reason), RECORD_REFUSED);
	cr_expect_eq(reason, RECORD_NO_MEMORY);
	no_memory = false;
	record_done(&r);
	record_done(&peer);
}
