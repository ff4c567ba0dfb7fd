/*
 * fuzz_proxy_header - any bytes before a client's: the answer depends on no byte behind the header and on no way of arriving, and
 * what is invalid stays so.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "wire/proxy_header.h"

static void check_header(const struct proxy_header *header, size_t size)
{
	FUZZ_CHECK(header->size > 0 && header->size <= size && header->size <= PROXY_HEADER_SIZE_MAX);
	FUZZ_CHECK((header->client.family == ADDR_NONE) == (header->local.family == ADDR_NONE));
	FUZZ_CHECK(header->client.family != ADDR_NONE || header->client.port == 0);
}

static void check_equal(const struct proxy_header *a, const struct proxy_header *b)
{
	FUZZ_CHECK(a->size == b->size && addr_equal(&a->client, &b->client) && addr_equal(&a->local, &b->local));
}

/* All prefixes, in the order in which a stream grows. */
static void check_stream(const uint8_t *data, size_t size)
{
	enum proxy_result before = PROXY_INCOMPLETE;
	struct proxy_header first = {0};
	for (size_t arrived = 0; arrived <= size && arrived <= PROXY_HEADER_SIZE_MAX + 2; arrived++) {
		struct bytes copy = exact_copy(data, arrived);
		struct proxy_header header = {0};
		enum proxy_result result = proxy_header_read_stream(copy, &header);
		exact_copy_free(copy);
		FUZZ_CHECK(before == PROXY_INCOMPLETE || result == before);
		FUZZ_CHECK(result != PROXY_INCOMPLETE || arrived < PROXY_HEADER_SIZE_MAX);
		if (result == PROXY_COMPLETE) {
			check_header(&header, arrived);
			if (before == PROXY_INCOMPLETE) {
				FUZZ_CHECK(header.size == arrived);
				first = header;
			}
			check_equal(&header, &first);
		}
		before = result;
	}
}

/* What is a header on a stream, in version 2, is one in a datagram. */
static void check_datagram(const uint8_t *data, size_t size)
{
	struct bytes copy = exact_copy(data, size);
	struct proxy_header header = {0}, of_stream = {0};
	enum proxy_result result = proxy_header_read_datagram(copy, &header);
	FUZZ_CHECK(result != PROXY_INCOMPLETE);
	if (result == PROXY_COMPLETE)
		check_header(&header, size);
	if (size > 0 && data[0] == '\r' && proxy_header_read_stream(copy, &of_stream) == PROXY_COMPLETE) {
		FUZZ_CHECK(result == PROXY_COMPLETE);
		check_equal(&header, &of_stream);
	}
	exact_copy_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_stream(data, size);
	check_datagram(data, size);
	return 0;
}
