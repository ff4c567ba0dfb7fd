#include "client/tls_context.h"

#include <criterion/criterion.h>

static void expect_refused(struct transport transport, const char *why)
{
	struct failure failure = {{0}};
	struct tls_context *context = tls_context_create(&transport, false, false, &failure);
	cr_expect_null(context);
	cr_expect_not_null(strstr(failure.text, why), "%s", failure.text);
}

static void expect_taken(struct transport transport)
{
	struct failure failure = {{0}};
	struct tls_context *context = tls_context_create(&transport, false, false, &failure);
	cr_expect_not_null(context, "%s", failure.text);
	tls_context_free(context);
}

Test(tls_context, takes_ciphers_of_either_version)
{
	expect_taken((struct transport){.kind = TRANSPORT_TLS});
	expect_taken((struct transport){.kind = TRANSPORT_TLS, .version = TLS_VERSION_1_3, .cipher = "TLS_AES_256_GCM_SHA384"});
	expect_taken((struct transport){.kind = TRANSPORT_TLS, .cipher = "TLS_CHACHA20_POLY1305_SHA256"});
	expect_taken((struct transport){.kind = TRANSPORT_TLS, .cipher = "ECDHE-RSA-AES256-GCM-SHA384"});
	expect_taken(
		(struct transport){.kind = TRANSPORT_DTLS, .version = TLS_VERSION_1_2, .cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"});
	tls_context_free(NULL);
}

Test(tls_context, refuses_what_cannot_be)
{
	expect_refused((struct transport){.kind = TRANSPORT_TLS, .cipher = "NO-SUCH"}, "NO-SUCH is not known");
	expect_refused((struct transport){.kind = TRANSPORT_TLS, .version = TLS_VERSION_1_2, .cipher = "TLS_AES_128_GCM_SHA256"},
		"one of TLS 1.3");
	expect_refused(
		(struct transport){.kind = TRANSPORT_TLS, .version = TLS_VERSION_1_3, .cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"},
		"not one of TLS 1.3");
	expect_refused((struct transport){.kind = TRANSPORT_DTLS, .version = TLS_VERSION_1_3}, "no DTLS 1.3");
	expect_refused((struct transport){.kind = TRANSPORT_DTLS, .cipher = "TLS_AES_128_GCM_SHA256"}, "one of TLS 1.3");
}

Test(tls_context, verifies_with_a_name_and_authorities_only)
{
	expect_taken((struct transport){.kind = TRANSPORT_TLS, .any_cipher = true, .verified = true, .name = "turn.example.org"});
	expect_taken((struct transport){.kind = TRANSPORT_DTLS, .any_cipher = true, .cipher = "NO-SUCH", .name = "192.0.2.1"});
	expect_refused((struct transport){.kind = TRANSPORT_TLS, .verified = true}, "without the server's name");
	expect_refused((struct transport){.kind = TRANSPORT_TLS, .verified = true, .name = "h", .authorities = "/nowhere"},
		"no certificates can be read from /nowhere");
}
