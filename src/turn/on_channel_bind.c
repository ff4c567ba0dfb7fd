#include "channel.h"
#include "on.h"
#include "permission.h"
#include "respond.h"

static enum stun_error read_binding(const struct request *request, uint16_t *ret_number, struct addr *ret_peer)
{
	const struct stun_view *view = request->view;
	const struct stun_attribute *number = stun_view_find(view, STUN_ATTR_CHANNEL_NUMBER);
	const struct stun_attribute *peer = stun_view_find(view, STUN_ATTR_XOR_PEER_ADDRESS);
	if (number == NULL || peer == NULL)
		return STUN_BAD_REQUEST;
	if (!stun_attribute_channel(view, number, ret_number) || !stun_attribute_xor_addr(view, peer, ret_peer))
		return STUN_BAD_REQUEST;
	if (*ret_number < CHANNEL_NUMBER_MIN || *ret_number > CHANNEL_NUMBER_MAX)
		return STUN_BAD_REQUEST;
	return ret_peer->family == request->allocation->family ? STUN_OK : STUN_PEER_ADDRESS_FAMILY_MISMATCH;
}

/* One that is past its time but whose timer has not fired yet ends here, so that its number and its peer are free. */
static struct channel *unless_expired(struct turn *t, struct channel *channel, uint64_t now_ns)
{
	if (channel == NULL || now_ns < channel->expires_ns)
		return channel;
	channel_end(t, channel);
	return NULL;
}

/* RFC 8656 Section 12.2 */
enum stun_error on_channel_bind(struct request *request)
{
	struct turn *t = request->t;
	struct allocation *a = request->allocation;
	struct peer_policy *policy = t->config->listeners[a->flow.listener].policy;
	uint64_t now_ns = request->now->mono_ns;
	uint16_t number;
	struct addr peer;
	enum stun_error error = read_binding(request, &number, &peer);
	if (error != STUN_OK)
		return error;
	struct channel *by_number = unless_expired(t, channel_find_number(t, a, number), now_ns);
	struct channel *by_peer = unless_expired(t, channel_find_peer(t, a, &peer), now_ns);
	if (by_number != by_peer)
		return STUN_BAD_REQUEST;
	struct peer_grant grant;
	if (policy == NULL || peer_policy_check(policy, t->ports, &peer, false, &grant) != PEER_ADMITTED)
		return STUN_FORBIDDEN;
	if (by_number == NULL && !channel_room(t, a))
		return STUN_INSUFFICIENT_CAPACITY;
	if (permission_find(t, a, &peer) == NULL && !permission_room(t, a, 1))
		return STUN_INSUFFICIENT_CAPACITY;

	permission_grant(t, a, &peer, &grant, policy, now_ns);
	if (by_number != NULL)
		channel_refresh(t, by_number, now_ns);
	else
		channel_create(t, a, number, &peer, now_ns);
	struct stun_builder b = respond_begin(request->out, &request->transaction);
	respond_end(request->out, request->flow, &request->transaction, &b);
	return STUN_OK;
}
