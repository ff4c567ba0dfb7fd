#include "permission.h"

static uint64_t permission_hash(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	struct {
		uint32_t allocation;
		struct addr peer;
	} key = {.allocation = a->slot, .peer = addr_with_port(*peer, 0)};
	_Static_assert(sizeof key == 24, "hashed as memory: no padding");
	return siphash(&t->key, &key, sizeof key);
}

struct permission *permission_find_far(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	uint64_t hash = permission_hash(t, a, peer);
	uint32_t it;
	for (uint32_t s = map_first(&t->permissions_far, hash, &it); s != MAP_NONE; s = map_next(&t->permissions_far, hash, &it)) {
		struct permission *permission = permission_at(t, s);
		if (permission->allocation == a->slot && addr_ip_equal(&permission->peer, peer))
			return permission;
	}
	return NULL;
}

bool permission_room(const struct turn *t, const struct allocation *a, size_t count)
{
	return a->permission_count + count <= LIMIT_PERMISSIONS_PER_ALLOCATION &&
	       t->permissions.used + count <= t->permissions.capacity;
}

static struct permission *permission_create(struct turn *t, struct allocation *a, const struct addr *peer)
{
	uint32_t slot = pool_take(&t->permissions);
	assert(slot != POOL_NONE);
	struct permission *permission = permission_at(t, slot);
	permission->slot = slot;
	permission->allocation = a->slot;
	permission->peer = addr_with_port(*peer, 0);
	permission->timer.kind = TIMER_PERMISSION;

	permission->next = a->permission_head;
	permission->previous = POOL_NONE;
	if (a->permission_head != POOL_NONE)
		permission_at(t, a->permission_head)->previous = slot;
	a->permission_head = slot;
	a->permission_count++;

	permission->far = !near_put(&a->permissions_near, near_tag_ip(peer), slot);
	if (permission->far) {
		bool inserted = map_insert(&t->permissions_far, permission_hash(t, a, peer), slot);
		assert(inserted);
		a->permissions_far++;
	}
	counter_set(&t->counters.permissions, t->permissions.used);
	return permission;
}

void permission_move(struct permission *permission, const struct peer_grant *grant, struct peer_policy *policy)
{
	if (permission->policy != policy) {
		peer_policy_unref(permission->policy);
		permission->policy = peer_policy_ref(policy);
	}
	permission->grant = *grant;
}

void permission_cut(struct turn *t, struct permission *permission, uint64_t now_ns)
{
	permission->expires_ns = now_ns;
	wheel_start(&t->wheel, &permission->timer, now_ns);
}

void permission_grant(struct turn *t, struct allocation *a, const struct addr *peer, const struct peer_grant *grant,
	struct peer_policy *policy, uint64_t now_ns)
{
	struct permission *permission = permission_find(t, a, peer);
	if (permission == NULL)
		permission = permission_create(t, a, peer);
	permission_move(permission, grant, policy);
	permission->expires_ns = now_ns + PERMISSION_LIFETIME_S * NS_PER_S;
	wheel_start(&t->wheel, &permission->timer, permission->expires_ns);
}

void permission_end(struct turn *t, struct permission *permission)
{
	struct allocation *a = allocation_at(t, permission->allocation);
	wheel_stop(&t->wheel, &permission->timer);
	if (permission->far) {
		bool removed = map_remove(&t->permissions_far, permission_hash(t, a, &permission->peer), permission->slot);
		assert(removed);
		a->permissions_far--;
	} else {
		near_drop(&a->permissions_near, permission->slot);
	}

	if (permission->previous != POOL_NONE)
		permission_at(t, permission->previous)->next = permission->next;
	else
		a->permission_head = permission->next;
	if (permission->next != POOL_NONE)
		permission_at(t, permission->next)->previous = permission->previous;
	a->permission_count--;

	peer_policy_unref(permission->policy);
	pool_give(&t->permissions, permission->slot);
	counter_set(&t->counters.permissions, t->permissions.used);
}
