/*
 * fuzz_send_indication - the fast way through a Send indication and the general one agree about every message.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "wire/send_indication.h"
#include "wire/stun_view.h"

static bool any_unknown(const struct stun_view *view)
{
	for (unsigned i = 0; i < view->attribute_count; i++)
		if (stun_comprehension_required(view->attributes[i].type) && !stun_attribute_known(view->attributes[i].type))
			return true;
	return false;
}

/* The same, by way of the index. */
static enum send_indication read_slowly(struct bytes datagram, struct send_indication_view *ret_view)
{
	struct stun_view view;
	if (stun_view_parse(datagram, &view) != STUN_PARSED || view.method != STUN_SEND || view.class != STUN_INDICATION)
		return SEND_INDICATION_MALFORMED;
	if (any_unknown(&view))
		return SEND_INDICATION_UNKNOWN_ATTRIBUTE;
	const struct stun_attribute *peer = stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	const struct stun_attribute *data = stun_view_find(&view, STUN_ATTR_DATA);
	if (peer == NULL || data == NULL || !stun_attribute_xor_addr(&view, peer, &ret_view->peer))
		return SEND_INDICATION_MALFORMED;
	ret_view->data = stun_attribute_value(&view, data);
	ret_view->dont_fragment = stun_view_find(&view, STUN_ATTR_DONT_FRAGMENT) != NULL;
	return SEND_INDICATION_OK;
}

static void check(struct bytes datagram)
{
	struct send_indication_view fast, slow;
	enum send_indication outcome = send_indication_read(datagram, &fast);
	FUZZ_CHECK(outcome == read_slowly(datagram, &slow));
	if (outcome != SEND_INDICATION_OK)
		return;
	FUZZ_CHECK(send_indication_is(datagram));
	FUZZ_CHECK(addr_equal(&fast.peer, &slow.peer));
	FUZZ_CHECK(fast.data.data == slow.data.data && fast.data.size == slow.data.size);
	FUZZ_CHECK(fast.dont_fragment == slow.dont_fragment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes copy = exact_copy(data, size);
	uint8_t *bytes = (uint8_t *)copy.data;
	check(copy);
	if (size >= STUN_HEADER_SIZE) {
		bytes[0] = 0x00;
		bytes[1] = 0x16;
	}
	fuzz_repair_header(bytes, size);
	check(copy);
	struct stun_view view;
	if (stun_view_parse(copy, &view) == STUN_BAD_FINGERPRINT) {
		fuzz_repair_fingerprint(bytes, size);
		check(copy);
	}
	exact_copy_free(copy);
	return 0;
}
