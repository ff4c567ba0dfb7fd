#include "turn_refusal.h"

#include <stdarg.h>
#include <stdio.h>

enum { REASON_SHOWN_MAX = 80 };

const char *turn_method_name(unsigned method)
{
	switch (method) {
	case STUN_ALLOCATE:
		return "Allocate";
	case STUN_REFRESH:
		return "Refresh";
	case STUN_CREATE_PERMISSION:
		return "CreatePermission";
	case STUN_CHANNEL_BIND:
		return "ChannelBind";
	default:
		return "STUN";
	}
}

void turn_client_end(struct turn_client *c, const char *format, ...)
{
	char what[400], server[ADDR_TEXT_SIZE] = "";
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	bool named = c->server.family != ADDR_NONE;
	if (named)
		addr_format(&c->server, server);
	fail(&c->failure, "the server%s%s %s", named ? " at " : "", server, what);
	c->state = TURN_CLIENT_FAILED;
	c->request.pending = false;
}

/* What a stranger wrote goes to a terminal: printable ASCII only. */
static const char *reason_text(struct bytes reason, char text[static REASON_SHOWN_MAX + 1])
{
	size_t size = reason.size < REASON_SHOWN_MAX ? reason.size : REASON_SHOWN_MAX;
	for (size_t i = 0; i < size; i++)
		text[i] = (char)(reason.data[i] >= 0x20 && reason.data[i] < 0x7f ? reason.data[i] : '?');
	text[size] = '\0';
	return text;
}

static void peer_refused(struct turn_client *c, const char *method)
{
	char peer[ADDR_TEXT_SIZE];
	addr_format_ip(&c->peers[c->request.peer].addr, peer);
	turn_client_end(c,
		"refuses the peer address %s (%s: 403): allow it there (coturn: --allow-loopback-peers; uturn: a cluster that "
		"contains it)",
		peer, method);
}

static void mismatch(struct turn_client *c, const char *method)
{
	c->port_taken = c->request.method == STUN_ALLOCATE;
	if (c->port_taken)
		turn_client_end(
			c, "still holds an allocation of an earlier run (%s: 437): try again, or restart the server", method);
	else
		turn_client_end(c, "knows nothing of an allocation that it made (%s: 437): was it restarted?", method);
}

void turn_client_refused(struct turn_client *c, unsigned code, struct bytes reason)
{
	const char *method = turn_method_name(c->request.method);
	bool for_peer = c->request.method == STUN_CHANNEL_BIND || c->request.method == STUN_CREATE_PERMISSION;
	char text[REASON_SHOWN_MAX + 1];
	switch (code) {
	case STUN_UNAUTHENTICATED:
	case STUN_WRONG_CREDENTIALS:
		turn_client_end(c, "refuses the credentials of user '%.64s' (%s: %u): check the user name and the password",
			c->username, method, code);
		return;
	case STUN_STALE_NONCE:
		turn_client_end(c, "calls each of its own nonces stale (%s: 438)", method);
		return;
	case STUN_ALLOCATION_MISMATCH:
		mismatch(c, method);
		return;
	case STUN_ALLOCATION_QUOTA_REACHED:
		turn_client_end(c,
			"gives user '%.64s' no more allocations (486): raise its quota (coturn: --user-quota; uturn: user_quota)",
			c->username);
		return;
	case STUN_INSUFFICIENT_CAPACITY:
		turn_client_end(c,
			"has no room for more (%s: 508): raise its limits (relay ports; uturn: admin.limits.allocations)", method);
		return;
	case STUN_TRY_ALTERNATE:
		turn_client_end(c, "sends its clients to another server (%s: 300): give the address of that one", method);
		return;
	case STUN_FORBIDDEN:
		if (for_peer) {
			peer_refused(c, method);
			return;
		}
		break;
	case STUN_ADDRESS_FAMILY_NOT_SUPPORTED:
	case STUN_PEER_ADDRESS_FAMILY_MISMATCH:
		turn_client_end(c, "relays from no IPv%u address (%s: %u): give it one, or use peers of the other family",
			(unsigned)c->family, method, code);
		return;
	default:
		break;
	}
	turn_client_end(c, "answers %s requests with the error %u (%s)", method, code, reason_text(reason, text));
}
