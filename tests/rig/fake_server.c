#include "fake_server.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "crypto/credentials.h"

struct bytes fake_bytes(const struct fake_message *message)
{
	return bytes_of(message->data, message->size);
}

static struct stun_view view_of(const struct fake_message *message)
{
	struct stun_view view;
	cr_assert_eq(stun_view_parse(fake_bytes(message), &view), STUN_PARSED);
	return view;
}

static struct stun_builder begin(const struct fake_message *request, enum stun_class class, struct fake_message *answer)
{
	struct stun_view view = view_of(request);
	return stun_build(answer->data, sizeof answer->data, (enum stun_method)view.method, class, stun_view_transaction_id(&view));
}

static void finish(struct stun_builder *b, struct fake_message *answer)
{
	answer->size = stun_build_end(b).size;
	cr_assert_gt(answer->size, 0);
}

struct fake_message fake_error(const struct fake_message *request, unsigned code, const char *nonce)
{
	struct fake_message answer;
	struct stun_builder b = begin(request, STUN_ERROR_RESPONSE, &answer);
	stun_build_error_code(&b, (enum stun_error)code, bytes_of_string("be\033cause"));
	if (nonce != NULL) {
		stun_build_bytes(&b, STUN_ATTR_REALM, bytes_of_string(FAKE_REALM));
		stun_build_bytes(&b, STUN_ATTR_NONCE, bytes_of_string(nonce));
	}
	finish(&b, &answer);
	return answer;
}

static void key_of(const char *password, uint8_t key[static LONG_TERM_KEY_SIZE])
{
	credentials_key(bytes_of_string(FAKE_USER), bytes_of_string(FAKE_REALM), bytes_of_string(password), key);
}

struct fake_message fake_success(const struct fake_message *request, const char *password, uint32_t lifetime_s)
{
	struct fake_message answer;
	struct stun_builder b = begin(request, STUN_SUCCESS, &answer);
	unsigned method = fake_method(request);
	if (method == STUN_ALLOCATE) {
		struct addr relayed;
		bool ipv6 = fake_has(request, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
		cr_assert(addr_parse_ip(ipv6 ? "2001:db8::9" : "192.0.2.9", &relayed));
		relayed.port = 50000;
		stun_build_xor_addr(&b, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed);
	}
	if ((method == STUN_ALLOCATE && lifetime_s > 0) || method == STUN_REFRESH)
		stun_build_u32(&b, STUN_ATTR_LIFETIME, lifetime_s);
	if (password != NULL) {
		uint8_t key[LONG_TERM_KEY_SIZE];
		key_of(password, key);
		integrity_append(&b, INTEGRITY_SHA1, bytes_of(key, sizeof key));
	}
	finish(&b, &answer);
	return answer;
}

const char *fake_text(const struct fake_message *message, uint16_t type)
{
	static _Thread_local char text[FAKE_MESSAGE_MAX];
	struct stun_view view = view_of(message);
	const struct stun_attribute *attribute = stun_view_find(&view, type);
	if (attribute == NULL)
		return "";
	struct bytes value = stun_attribute_value(&view, attribute);
	snprintf(text, sizeof text, "%.*s", (int)value.size, (const char *)value.data);
	return text;
}

bool fake_has(const struct fake_message *message, uint16_t type)
{
	struct stun_view view = view_of(message);
	return stun_view_find(&view, type) != NULL;
}

unsigned fake_method(const struct fake_message *message)
{
	return view_of(message).method;
}

bool fake_signed(const struct fake_message *request, const char *password)
{
	uint8_t key[LONG_TERM_KEY_SIZE];
	key_of(password, key);
	struct stun_view view = view_of(request);
	return strcmp(fake_text(request, STUN_ATTR_USERNAME), FAKE_USER) == 0 &&
	       strcmp(fake_text(request, STUN_ATTR_REALM), FAKE_REALM) == 0 &&
	       integrity_verify(&view, INTEGRITY_SHA1, bytes_of(key, sizeof key));
}
