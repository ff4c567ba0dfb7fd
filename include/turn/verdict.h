/*
 * verdict - what became of a packet. Every way out has a name, and every name is a counter: uturn_packets_total{verdict="…"}.
 */
#ifndef UTURN_TURN_VERDICT_H
#define UTURN_TURN_VERDICT_H

/* clang-format off */
/*      enumerator                  label                     what it says */
#define TURN_VERDICTS(X)                                                                                                    \
	X(FORWARD_TO_PEER,          "to_peer",                "relayed to a peer")                                          \
	X(FORWARD_TO_CLIENT,        "to_client",              "relayed to a client")                                        \
	X(ANSWERED,                 "answered",               "a request that was answered (or whose answer is under way)") \
	X(KEEP_ALIVE,               "keep_alive",             "a Binding indication: it keeps bindings of NATs alive")      \
	X(DROP_EMPTY,               "drop_empty",             "a datagram of no bytes at a listener")                       \
	X(DROP_NOT_STUN,            "drop_not_stun",          "neither STUN nor ChannelData")                               \
	X(DROP_DTLS,                "drop_dtls",              "DTLS at a listener that does not speak it")                  \
	X(DROP_MALFORMED,           "drop_malformed",         "a STUN indication or ChannelData that does not parse")       \
	X(DROP_FINGERPRINT,         "drop_fingerprint",       "FINGERPRINT is wrong")                                       \
	X(DROP_UNEXPECTED_CLASS,    "drop_unexpected_class",  "a response or an indication where none belongs")             \
	X(DROP_UNKNOWN_METHOD,      "drop_unknown_method",    "a request with a method that does not exist here")           \
	X(DROP_UNKNOWN_ATTRIBUTE,   "drop_unknown_attribute", "an indication with an attribute that must be understood")    \
	X(DROP_NO_ALLOCATION,       "drop_no_allocation",     "data from a 5-tuple without an allocation")                  \
	X(DROP_NO_CHANNEL,          "drop_no_channel",        "ChannelData on a number that is not bound")                  \
	X(DROP_NO_PERMISSION,       "drop_no_permission",     "no permission for the peer, in either direction")            \
	X(DROP_PEER_REFUSED,        "drop_peer_refused",      "a peer or port that the routes do not allow")                \
	X(DROP_PEER_FAMILY,         "drop_peer_family",       "a peer of another address family than the relayed address")  \
	X(DROP_UNAUTH_LIMIT,        "drop_unauth_limit",      "an unauthenticated request beyond its source's rate")        \
	X(DROP_IN_PROGRESS,         "drop_in_progress",       "a repeated request whose answer is under way")               \
	X(DROP_TOO_LARGE,           "drop_too_large",         "does not fit a datagram once its header is added")
/* clang-format on */

enum verdict {
#define X(name, label, help) name,
	TURN_VERDICTS(X)
#undef X
		VERDICT_COUNT
};

/* Why authentication failed: uturn_auth_failures_total{cause="…"}. */
/* clang-format off */
#define TURN_AUTH_FAILURES(X)                                                                       \
	X(AUTH_FAIL_MISSING,      "missing",      "no MESSAGE-INTEGRITY: the first request of every client") \
	X(AUTH_FAIL_INCOMPLETE,   "incomplete",   "integrity without USERNAME, REALM or NONCE: 400")         \
	X(AUTH_FAIL_STALE_NONCE,  "stale_nonce",  "nonce too old, of another client, or not ours: 438")      \
	X(AUTH_FAIL_USERNAME,     "username",     "unknown user name")                                       \
	X(AUTH_FAIL_EXPIRED,      "expired",      "time-limited user name has expired or has no expiry")     \
	X(AUTH_FAIL_INTEGRITY,    "integrity",    "wrong password: MESSAGE-INTEGRITY does not fit")          \
	X(AUTH_FAIL_WRONG_USER,   "wrong_user",   "valid, but not the user that made the allocation: 441")   \
	X(AUTH_FAIL_DISABLED,     "disabled",     "relaying is off (auth type none): 403")
/* clang-format on */

enum auth_failure {
#define X(name, label, help) name,
	TURN_AUTH_FAILURES(X)
#undef X
		AUTH_FAILURE_COUNT
};

/* Labels and help texts for metrics, from the tables above. */
const char *verdict_label(enum verdict verdict);
const char *verdict_help(enum verdict verdict);
const char *auth_failure_label(enum auth_failure failure);
const char *auth_failure_help(enum auth_failure failure);

#endif
