#include "routes.h"

#include <errno.h>
#include <sys/mman.h>

int routes_init(struct routes *routes)
{
	void *memory = mmap(NULL, ROUTES_MAX * sizeof(struct route), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	*routes = (struct routes){.entries = memory};
	return 0;
}

void routes_done(struct routes *routes)
{
	if (routes->entries != NULL)
		munmap(routes->entries, ROUTES_MAX * sizeof(struct route));
	*routes = (struct routes){0};
}

/* Never 0, which marks an unused entry. */
static uint64_t key_of(uint32_t socket, const struct addr *to)
{
	uint64_t prefix = 0;
	memcpy(&prefix, to->ip, to->family == ADDR_IPV4 ? 3 : 7);
	uint64_t key = (prefix ^ (uint64_t)socket << 40 ^ socket) * UINT64_C(0x9e3779b97f4a7c15);
	return (key ^ key >> 29) | 1;
}

static struct route *place_of(const struct routes *routes, uint64_t key)
{
	return &routes->entries[key >> 32 & (ROUTES_MAX - 1)];
}

static const struct route *find(const struct routes *routes, uint32_t socket, const struct addr *to, uint64_t now_ns)
{
	uint64_t key = key_of(socket, to);
	const struct route *route = place_of(routes, key);
	return route->key == key && now_ns < route->expires_ns ? route : NULL;
}

bool routes_refuse(const struct routes *routes, uint32_t socket, const struct addr *to, size_t size, uint64_t now_ns)
{
	if (now_ns >= routes->refused_until_ns)
		return false;
	const struct route *route = find(routes, socket, to, now_ns);
	return route != NULL && route->refused > 0 && size >= route->refused;
}

bool routes_work(const struct routes *routes, const struct train *train, uint64_t now_ns)
{
	const struct route *route = find(routes, train->socket, &train->to, now_ns);
	return route != NULL && train->segment_size <= route->works;
}

static struct route *learn(struct routes *routes, const struct train *train, uint64_t now_ns)
{
	uint64_t key = key_of(train->socket, &train->to);
	struct route *route = place_of(routes, key);
	if (route->key != key || now_ns >= route->expires_ns)
		*route = (struct route){.key = key, .expires_ns = now_ns + ROUTE_LIFETIME_NS};
	return route;
}

void routes_learn_success(struct routes *routes, const struct train *train, uint64_t now_ns)
{
	struct route *route = learn(routes, train, now_ns);
	if (train->segment_size > route->works)
		route->works = train->segment_size;
}

void routes_learn_failure(struct routes *routes, const struct train *train, int error, uint64_t now_ns)
{
	/* EIO has nothing to do with the size. */
	uint16_t size = error == EIO ? 1 : train->segment_size;
	struct route *route = learn(routes, train, now_ns);
	if (route->refused == 0 || size < route->refused)
		route->refused = size;
	if (route->works >= size)
		route->works = (uint16_t)(size - 1);
	routes->refused_until_ns = now_ns + ROUTE_LIFETIME_NS;
}
