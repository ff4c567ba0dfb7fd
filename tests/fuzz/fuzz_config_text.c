/*
 * fuzz_config_text - any bytes as the text of a configuration, in YAML or JSON: it is refused with a reason, or what comes of it
 * keeps its bounds and can be freed. Its environment has a few variables; no file outside is read.
 */
#include <string.h>

#include "exact_copy.h"
#include "fuzz_rig.h"
#include "server/config.h"
#include "server/config_yaml.h"

static const char *fuzz_getenv(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "A") == 0 ? "3478" : strcmp(name, "B") == 0 ? "a: [b, {c" : strcmp(name, "C") == 0 ? "" : NULL;
}

static bool fuzz_can_bind(void *context, const struct addr *ip)
{
	(void)context;
	return addr_is_any(ip);
}

static struct addr fuzz_default_source(void *context, enum addr_family family)
{
	(void)context;
	(void)family;
	return addr_ipv4(192, 0, 2, 1, 0);
}

static size_t fuzz_own_ips(void *context, struct addr *ret_ips, size_t max)
{
	(void)context;
	(void)ret_ips;
	(void)max;
	return 0;
}

static void fuzz_port_range(void *context, uint16_t *ret_min, uint16_t *ret_max)
{
	(void)context;
	*ret_min = 32768;
	*ret_max = 60999;
}

static void fuzz_random(void *context, void *out, size_t size)
{
	(void)context;
	memset(out, 7, size);
}

static const struct config_world world = {
	.getenv = fuzz_getenv,
	.can_bind = fuzz_can_bind,
	.default_source = fuzz_default_source,
	.own_ips = fuzz_own_ips,
	.port_range = fuzz_port_range,
	.random = fuzz_random,
};

static void check_value(const struct config_value *value, unsigned depth)
{
	FUZZ_CHECK(depth <= CONFIG_YAML_DEPTH_MAX + 1);
	FUZZ_CHECK(value->kind != VALUE_TEXT || value->text != NULL);
	FUZZ_CHECK(!value->plain || value->text != NULL);
	FUZZ_CHECK(value->count == 0 || value->kind == VALUE_LIST || value->kind == VALUE_OBJECT);
	for (size_t i = 0; i < value->count; i++) {
		FUZZ_CHECK((value->kind == VALUE_OBJECT) == (value->items[i].name != NULL));
		check_value(&value->items[i], depth + 1);
	}
}

static void check_yaml(struct bytes text)
{
	struct config_syntax_error error = {0};
	struct config_value *root = config_yaml_parse((const char *)text.data, text.size, &error);
	if (root != NULL)
		check_value(root, 0);
	else
		FUZZ_CHECK(error.text[0] != '\0' && error.line >= 1 && error.column >= 1);
	config_value_free(root);
}

static void check_config(struct bytes text)
{
	static struct config_problems problems;
	problems = (struct config_problems){0};
	struct config *config = config_load_text("fuzz", (const char *)text.data, text.size, &world, &problems);
	FUZZ_CHECK(config != NULL ? problems.errors == 0 : problems.errors > 0);
	if (config != NULL)
		FUZZ_CHECK(config->listener_count <= LIMIT_LISTENERS);
	config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = exact_copy(data, size);
	check_yaml(text);
	/* What could name a file of this machine does not go on to the schema. */
	if (memmem(data, size, "cert", 4) == NULL && memmem(data, size, "key", 3) == NULL)
		check_config(text);
	exact_copy_free(text);
	return 0;
}
