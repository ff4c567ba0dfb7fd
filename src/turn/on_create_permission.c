#include "on.h"
#include "permission.h"
#include "respond.h"

struct asked_peer {
	struct addr ip;
	struct peer_grant grant;
};

/* All XOR-PEER-ADDRESS attributes; nothing is refused for its route here. */
static enum stun_error read_peers(const struct request *request, struct asked_peer *ret_peers, size_t *ret_count)
{
	const struct stun_view *view = request->view;
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_XOR_PEER_ADDRESS);
	size_t count = 0;
	if (attribute == NULL)
		return STUN_BAD_REQUEST;
	for (; attribute != NULL; attribute = stun_view_next(view, attribute)) {
		struct addr peer;
		if (!stun_attribute_xor_addr(view, attribute, &peer))
			return STUN_BAD_REQUEST;
		if (peer.family != request->allocation->family)
			return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
		if (count == LIMIT_PEERS_PER_REQUEST)
			return STUN_INSUFFICIENT_CAPACITY;
		ret_peers[count++].ip = addr_with_port(peer, 0);
	}
	*ret_count = count;
	return STUN_OK;
}

static bool named_before(const struct asked_peer *peers, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (addr_equal(&peers[i].ip, &peers[index].ip))
			return true;
	return false;
}

/* RFC 8656 Section 10.2: all of them or none. */
enum stun_error on_create_permission(struct request *request)
{
	struct turn *t = request->t;
	struct allocation *a = request->allocation;
	struct peer_policy *policy = t->config->listeners[a->flow.listener].policy;
	struct asked_peer peers[LIMIT_PEERS_PER_REQUEST];
	size_t count, new_count = 0;
	enum stun_error error = read_peers(request, peers, &count);
	if (error != STUN_OK)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (policy == NULL || peer_policy_check(policy, t->ports, &peers[i].ip, true, &peers[i].grant) != PEER_ADMITTED)
			return STUN_FORBIDDEN;
		if (permission_find(t, a, &peers[i].ip) == NULL && !named_before(peers, i))
			new_count++;
	}
	if (!permission_room(t, a, new_count))
		return STUN_INSUFFICIENT_CAPACITY;

	for (size_t i = 0; i < count; i++)
		permission_grant(t, a, &peers[i].ip, &peers[i].grant, policy, request->now->mono_ns);
	struct stun_builder b = respond_begin(request->out, &request->transaction);
	respond_end(request->out, request->flow, &request->transaction, &b);
	return STUN_OK;
}
