#include "config_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const char *rig_getenv(void *context, const char *name)
{
	struct config_rig *rig = context;
	for (const struct rig_variable *v = rig->environment; v && v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

struct addr config_rig_ip(const char *text)
{
	struct addr ip = {0};
	cr_assert(addr_parse_ip(text, &ip), "%s", text);
	return ip;
}

static size_t rig_own_ips(void *context, struct addr *ret_ips, size_t max)
{
	struct config_rig *rig = context;
	static const char *const own[] = {"127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"};
	size_t count = rig->no_ipv6 ? 2 : 4;
	for (size_t i = 0; i < count && i < max; i++)
		ret_ips[i] = config_rig_ip(own[i]);
	return count;
}

static bool rig_can_bind(void *context, const struct addr *ip)
{
	struct config_rig *rig = context;
	struct addr own[4];
	size_t count = rig_own_ips(rig, own, 4);
	cr_assert_neq(ip->family, ADDR_NONE);
	if (addr_is_any(ip))
		return ip->family == ADDR_IPV4 || !rig->no_ipv6;
	for (size_t i = 0; i < count; i++)
		if (addr_ip_equal(&own[i], ip))
			return true;
	return false;
}

static struct addr rig_default_source(void *context, enum addr_family family)
{
	struct config_rig *rig = context;
	if (family == ADDR_IPV6 && rig->no_ipv6)
		return (struct addr){0};
	return config_rig_ip(family == ADDR_IPV6 ? "2001:db8::7" : "192.0.2.7");
}

static void rig_port_range(void *context, uint16_t *ret_min, uint16_t *ret_max)
{
	(void)context;
	*ret_min = 40000;
	*ret_max = 50000;
}

static void rig_random(void *context, void *out, size_t size)
{
	struct config_rig *rig = context;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)out)[i] = (uint8_t)((rig->random = rig->random * 1103515245u + 12345u) >> 16);
}

void config_rig_init(struct config_rig *rig, const struct rig_variable *environment)
{
	*rig = (struct config_rig){
		.world = {.context = rig,
			.getenv = rig_getenv,
			.can_bind = rig_can_bind,
			.default_source = rig_default_source,
			.own_ips = rig_own_ips,
			.port_range = rig_port_range,
			.random = rig_random},
		.environment = environment,
	};
}

struct config *config_rig_load(struct config_rig *rig, const char *text, struct config_problems *problems)
{
	static struct config_problems own;
	own = (struct config_problems){0};
	struct config_problems *p = problems ? problems : &own;
	/* An exact-size copy without its NUL: a read past the end is seen. */
	size_t size = strlen(text);
	char *copy = malloc(size ? size : 1);
	cr_assert_not_null(copy);
	memcpy(copy, text, size);
	struct config *config = config_load_text("t.json", copy, size, &rig->world, p);
	free(copy);
	cr_assert(config != NULL || p->errors > 0, "refused without a word");
	if (problems == NULL)
		cr_assert_eq(own.kept, 0, "%s\n%s", own.list[0].text, text);
	return config;
}

const char *config_rig_native(const char *admin, const char *listener, const char *top)
{
	static char text[8192];
	int size = snprintf(text, sizeof text,
		"{\"version\":\"uturn/v1\","
		"\"admin\":{\"name\":\"rig\"%s},"
		"\"auth\":{\"realm\":\"r\",\"credentials\":{\"username\":\"u\",\"password\":\"p\"}},"
		"\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"10.0.0.0/8\"]}],"
		"\"listeners\":[{\"name\":\"l\",\"routes\":[\"c\"]%s}]%s}",
		admin, listener, top);
	cr_assert_lt((size_t)size, sizeof text);
	return text;
}
