#include "allocation.h"
#include "on.h"
#include "respond.h"

/* RFC 8656 Section 8.2 */
enum stun_error on_refresh(struct request *request)
{
	struct allocation *a = request->allocation;
	uint32_t lifetime_s;
	bool zero;
	enum stun_error error = read_lifetime(request, &lifetime_s, &zero);
	if (error != STUN_OK)
		return error;
	enum addr_family family;
	error = read_family(request->view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &family);
	/* A family that does not exist is not that of the allocation either. */
	if (error == STUN_ADDRESS_FAMILY_NOT_SUPPORTED || (error == STUN_OK && family != ADDR_NONE && family != a->family))
		return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
	if (error != STUN_OK)
		return error;

	struct stun_builder b = respond_begin(request->out, &request->transaction);
	stun_build_u32(&b, STUN_ATTR_LIFETIME, zero ? 0 : lifetime_s);
	respond_end(request->out, request->flow, &request->transaction, &b);
	if (zero)
		allocation_end(request->t, a, request->out);
	else
		allocation_prolong(request->t, a, lifetime_s, request->now->mono_ns);
	return STUN_OK;
}
