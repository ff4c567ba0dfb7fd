#include "on.h"
#include "respond.h"

/* RFC 8489 Section 6.3.1.1; a client of RFC 3489 knows MAPPED-ADDRESS only (RFC 5389 Section 12.2). */
enum stun_error on_binding(struct request *request)
{
	struct stun_builder b = respond_begin(request->out, &request->transaction);
	if (request->view->classic)
		stun_build_addr(&b, STUN_ATTR_MAPPED_ADDRESS, &request->flow->client);
	else
		stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &request->flow->client);
	respond_end(request->out, request->flow, &request->transaction, &b);
	return STUN_OK;
}
