/*
 * fuzz_stun_view - any bytes into stun_view_parse; what it accepts must be consistent, and survive being built and parsed again.
 * What is STUN with the cookie is STUN of RFC 3489 without it.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "wire/stun_build.h"
#include "wire/stun_view.h"

static void check_attributes(const struct stun_view *view)
{
	size_t end = STUN_HEADER_SIZE;
	FUZZ_CHECK(view->attribute_count <= STUN_VIEW_ATTRIBUTES);
	for (unsigned i = 0; i < view->attribute_count; i++) {
		const struct stun_attribute *a = &view->attributes[i];
		FUZZ_CHECK(a->offset % 4 == 0 && a->offset >= end + STUN_ATTRIBUTE_HEADER_SIZE);
		end = (size_t)a->offset + (a->size + 3u) / 4 * 4;
		FUZZ_CHECK(end <= view->raw.size);
		const uint8_t *header = view->raw.data + a->offset - STUN_ATTRIBUTE_HEADER_SIZE;
		FUZZ_CHECK((header[0] << 8 | header[1]) == a->type && (header[2] << 8 | header[3]) == a->size);
		FUZZ_CHECK((a->type == STUN_ATTR_FINGERPRINT) == (view->has_fingerprint && i + 1u == view->attribute_count));
		const struct stun_attribute *first = stun_view_find(view, a->type);
		FUZZ_CHECK(first != NULL && first <= a && first->type == a->type);
		const struct stun_attribute *next = stun_view_next(view, a);
		FUZZ_CHECK(next == NULL || (next > a && next->type == a->type));
	}
	FUZZ_CHECK(!view->has_fingerprint || end == view->raw.size);
}

static void check_integrity(const struct stun_view *view)
{
	const struct stun_attribute *mac = stun_view_find(view, STUN_ATTR_MESSAGE_INTEGRITY);
	FUZZ_CHECK(view->integrity_offset == (mac == NULL ? 0 : mac->offset - STUN_ATTRIBUTE_HEADER_SIZE));
	FUZZ_CHECK(mac == NULL || (mac->size == STUN_INTEGRITY_SHA1_SIZE && stun_view_next(view, mac) == NULL));
	const struct stun_attribute *mac256 = stun_view_find(view, STUN_ATTR_MESSAGE_INTEGRITY_SHA256);
	FUZZ_CHECK(view->integrity_sha256_offset == (mac256 == NULL ? 0 : mac256->offset - STUN_ATTRIBUTE_HEADER_SIZE));
	FUZZ_CHECK(mac == NULL || mac256 == NULL || mac256 == mac + 1);
	const struct stun_attribute *last = mac256 != NULL ? mac256 : mac;
	if (last != NULL)
		FUZZ_CHECK(last + 1 + view->has_fingerprint == view->attributes + view->attribute_count);
}

static void check_values(const struct stun_view *view)
{
	for (unsigned i = 0; i < view->attribute_count; i++) {
		const struct stun_attribute *a = &view->attributes[i];
		uint32_t u32;
		uint16_t channel;
		struct addr addr;
		FUZZ_CHECK(stun_attribute_u32(view, a, &u32) == (a->size == 4));
		FUZZ_CHECK(stun_attribute_channel(view, a, &channel) == (a->size == 4));
		if (!stun_attribute_xor_addr(view, a, &addr))
			continue;
		FUZZ_CHECK(a->size == 4 + addr_ip_size(&addr));
		uint8_t buffer[64];
		struct stun_builder b =
			stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, stun_view_transaction_id(view));
		stun_build_xor_addr(&b, a->type, &addr);
		struct bytes built = stun_build_end(&b), value = stun_attribute_value(view, a);
		FUZZ_CHECK(built.size == (size_t)STUN_HEADER_SIZE + STUN_ATTRIBUTE_HEADER_SIZE + value.size);
		FUZZ_CHECK(memcmp(built.data + 25, value.data + 1, value.size - 1) == 0);
	}
}

/* Built from the view, it is the same message without what was ignored and with zeros for padding. */
static void check_rebuilt(const struct stun_view *view)
{
	static uint8_t buffer[UINT16_MAX];
	struct stun_builder b = stun_build(buffer, sizeof buffer, view->method, view->class, stun_view_transaction_id(view));
	for (unsigned i = 0; i < view->attribute_count; i++) {
		const struct stun_attribute *a = &view->attributes[i];
		if (a->type == STUN_ATTR_FINGERPRINT)
			stun_build_fingerprint(&b);
		else
			stun_build_bytes(&b, a->type, stun_attribute_value(view, a));
	}
	struct bytes built = stun_build_end(&b);
	FUZZ_CHECK(built.data != NULL && built.size <= view->raw.size);
	struct stun_view again;
	FUZZ_CHECK(stun_view_parse(built, &again) == STUN_PARSED);
	FUZZ_CHECK(again.method == view->method && again.class == view->class && again.attribute_count == view->attribute_count);
	for (unsigned i = 0; i < view->attribute_count; i++) {
		FUZZ_CHECK(again.attributes[i].type == view->attributes[i].type);
		FUZZ_CHECK(view->attributes[i].type == STUN_ATTR_FINGERPRINT ||
			   bytes_equal(stun_attribute_value(&again, &again.attributes[i]),
				   stun_attribute_value(view, &view->attributes[i])));
	}
}

static enum stun_parse check(struct bytes datagram)
{
	struct stun_view view;
	enum stun_parse parse = stun_view_parse(datagram, &view);
	if (parse == STUN_PARSED) {
		check_attributes(&view);
		check_integrity(&view);
		check_values(&view);
		check_rebuilt(&view);
	} else if (parse == STUN_MALFORMED) {
		FUZZ_CHECK(view.attribute_count == 0 && view.integrity_offset == 0 && view.integrity_sha256_offset == 0);
		FUZZ_CHECK(view.raw.data == datagram.data && view.raw.size == datagram.size && !view.has_fingerprint);
	}
	return parse;
}

/* One bit of the cookie is another: the same attributes, or nothing. */
static void check_classic(struct bytes datagram, enum stun_parse with_cookie)
{
	uint8_t *cookie = (uint8_t *)datagram.data + 4;
	struct stun_view modern, view;
	FUZZ_CHECK(stun_view_parse_classic(datagram, &view) == STUN_NOT_STUN);
	FUZZ_CHECK(stun_view_parse(datagram, &modern) == with_cookie);
	*cookie ^= 0x80;
	FUZZ_CHECK(stun_view_parse(datagram, &view) == STUN_NOT_STUN);
	if (stun_view_parse_classic(datagram, &view) == STUN_PARSED) {
		FUZZ_CHECK(with_cookie == STUN_PARSED || with_cookie == STUN_BAD_FINGERPRINT);
		FUZZ_CHECK(view.classic && view.method == modern.method && view.class == modern.class);
		check_attributes(&view);
		check_integrity(&view);
		if (with_cookie == STUN_PARSED)
			FUZZ_CHECK(view.attribute_count == modern.attribute_count);
	} else {
		FUZZ_CHECK(with_cookie == STUN_MALFORMED || modern.has_fingerprint);
	}
	*cookie ^= 0x80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes copy = exact_copy(data, size);
	uint8_t *bytes = (uint8_t *)copy.data;
	check(copy);
	struct stun_view view;
	if (stun_view_parse_classic(copy, &view) == STUN_PARSED) {
		check_attributes(&view);
		check_integrity(&view);
	}
	fuzz_repair_header(bytes, size);
	enum stun_parse parse = check(copy);
	FUZZ_CHECK((parse == STUN_NOT_STUN) == (size < STUN_HEADER_SIZE || size % 4 != 0 || size > STUN_HEADER_SIZE + UINT16_MAX));
	if (parse != STUN_NOT_STUN)
		check_classic(copy, parse);
	if (parse == STUN_BAD_FINGERPRINT) {
		fuzz_repair_fingerprint(bytes, size);
		FUZZ_CHECK(check(copy) == STUN_PARSED);
	}
	exact_copy_free(copy);
	return 0;
}
