#include "allocation.h"

static uint32_t seconds_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns <= from_ns ? 0 : (uint32_t)((to_ns - from_ns) / NS_PER_S);
}

/* The whole user name, or the user that quotas count by (for a time-limited name: without its expiry). */
static bool username_matches(const struct turn *t, const struct allocation *a, const char *username)
{
	if (username == NULL)
		return true;
	struct bytes text = bytes_of_string(username);
	return bytes_equal(text, bytes_of(a->username, a->username_size)) || a->user == siphash(&t->user_key, text.data, text.size);
}

static bool client_matches(const struct allocation *a, const struct addr *client)
{
	if (client == NULL || client->family == ADDR_NONE)
		return true;
	return addr_ip_equal(&a->flow.client, client) && (client->port == 0 || client->port == a->flow.client.port);
}

static void describe(const struct turn *t, const struct allocation *a, uint64_t now_ns, struct allocation_info *ret_info)
{
	*ret_info = (struct allocation_info){
		.flow = a->flow,
		.relayed = relay_at(t, a->relay.index)->advertised,
		.lifetime_left_s = seconds_between(now_ns, a->expires_ns),
		.age_s = seconds_between(a->created_ns, now_ns),
		.permissions = a->permission_count,
		.channels = a->channel_count,
		.from_client_packets = a->from_client_packets,
		.from_client_bytes = a->from_client_bytes,
		.to_client_packets = a->to_client_packets,
		.to_client_bytes = a->to_client_bytes,
		.refused_packets = a->refused_packets,
	};
	memcpy(ret_info->username, a->username, a->username_size);
}

size_t turn_find_allocations(const struct turn *t, const char *username, const struct addr *client, const struct moment *now,
	struct allocation_info *ret_infos, size_t max)
{
	size_t found = 0;
	for (uint32_t s = t->allocation_head; s != POOL_NONE; s = allocation_at(t, s)->next) {
		const struct allocation *a = allocation_at(t, s);
		if (!allocation_relays(a, now->mono_ns) || !username_matches(t, a, username) || !client_matches(a, client))
			continue;
		if (found < max)
			describe(t, a, now->mono_ns, &ret_infos[found]);
		found++;
	}
	return found;
}
