#include "on.h"
#include "respond.h"

/* RFC 8489 Section 6.3.1.1 */
enum stun_error on_binding(struct request *request)
{
	struct stun_builder b = respond_begin(request->out, &request->transaction);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &request->flow->client);
	respond_end(request->out, request->flow, &request->transaction, &b);
	return STUN_OK;
}
