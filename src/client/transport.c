#include "client/transport.h"

#include <string.h>

const char *transport_name(enum transport_kind kind)
{
	static const char *const names[TRANSPORT_KINDS] = {
		[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls", [TRANSPORT_DTLS] = "dtls"};
	return kind < TRANSPORT_KINDS ? names[kind] : "unknown";
}

bool transport_find(const char *name, enum transport_kind *ret_kind)
{
	for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
		if (strcmp(name, transport_name((enum transport_kind)kind)) == 0) {
			*ret_kind = (enum transport_kind)kind;
			return true;
		}
	}
	return false;
}
