#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "session_private.h"

const char *tls_failure_name(enum tls_failure failure)
{
	static const char *const names[TLS_FAILURES] = {
		[TLS_FAIL_NONE] = "none",
		[TLS_FAIL_NOT_TLS] = "not_tls",
		[TLS_FAIL_VERSION] = "version",
		[TLS_FAIL_CIPHER] = "cipher",
		[TLS_FAIL_ALERT] = "alert",
		[TLS_FAIL_CLOSED] = "closed",
		[TLS_FAIL_MALFORMED] = "malformed",
		[TLS_FAIL_INTERNAL] = "internal",
		[TLS_FAIL_TIMEOUT] = "timeout",
	};
	return names[failure];
}

static enum tls_failure of_libssl(int reason)
{
	/* An alert of the peer's: this and its number. */
	if (reason >= SSL_AD_REASON_OFFSET)
		return TLS_FAIL_ALERT;
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_UNSUPPORTED_SSL_VERSION:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_INAPPROPRIATE_FALLBACK:
		return TLS_FAIL_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_UNSUPPORTED_ELLIPTIC_CURVE:
	case SSL_R_UNABLE_TO_FIND_ECDH_PARAMETERS:
		return TLS_FAIL_CIPHER;
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return TLS_FAIL_NOT_TLS;
	case ERR_R_MALLOC_FAILURE:
	case ERR_R_INTERNAL_ERROR:
		return TLS_FAIL_INTERNAL;
	default:
		return TLS_FAIL_MALFORMED;
	}
}

enum tls_failure session_failure_of(unsigned long error)
{
	if (error == 0 || ERR_SYSTEM_ERROR(error))
		return TLS_FAIL_INTERNAL;
	/* What libcrypto is not content with is a key or a signature that the client has made up. */
	return ERR_GET_LIB(error) == ERR_LIB_SSL ? of_libssl(ERR_GET_REASON(error)) : TLS_FAIL_MALFORMED;
}
