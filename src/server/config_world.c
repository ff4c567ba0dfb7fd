#include "server/config_world.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/random.h"
#include "io/udp_socket.h"
#include "server/config_env.h"

static bool can_bind(void *context, const struct addr *ip)
{
	(void)context;
	/* A port of the kernel's choice: the question is about the address alone. */
	struct udp_socket_options options = {0};
	struct addr local = addr_with_port(*ip, 0);
	int fd = udp_socket_open(&local, &options, NULL);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static struct addr default_source(void *context, enum addr_family family)
{
	(void)context;
	return udp_default_source(family);
}

static size_t own_ips(void *context, struct addr *ret_ips, size_t max)
{
	(void)context;
	struct ifaddrs *list;
	size_t count = 0;
	if (getifaddrs(&list) != 0)
		return 0;
	for (struct ifaddrs *i = list; i && count < max; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		struct addr ip = addr_from_sockaddr(i->ifa_addr);
		if (ip.family == ADDR_NONE)
			continue;
		ret_ips[count++] = addr_with_port(ip, 0);
	}
	freeifaddrs(list);
	return count;
}

static void port_range(void *context, uint16_t *ret_min, uint16_t *ret_max)
{
	(void)context;
	/* The kernel's own default, for where /proc is not mounted. */
	unsigned min = 32768, max = 60999, read_min, read_max;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (file) {
		if (fscanf(file, "%u %u", &read_min, &read_max) == 2 && read_min >= 1 && read_min <= read_max &&
			read_max <= 65535) {
			min = read_min;
			max = read_max;
		}
		fclose(file);
	}
	*ret_min = (uint16_t)min;
	*ret_max = (uint16_t)max;
}

static void random_from_system(void *context, void *out, size_t size)
{
	(void)context;
	struct random_source source = {0};
	random_bytes(&source, out, size);
}

const struct config_world *config_world_system(void)
{
	static const struct config_world world = {
		.getenv = config_env_system,
		.can_bind = can_bind,
		.default_source = default_source,
		.own_ips = own_ips,
		.port_range = port_range,
		.random = random_from_system,
	};
	return &world;
}
