#include "server/config_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "base/prefix_set.h"

enum cluster_type { CLUSTER_STATIC, CLUSTER_STRICT_DNS };

/* What a document says of a cluster, before it is one. */
struct cluster_draft {
	struct config_cluster cluster;
	enum cluster_type type;
};

static const struct config_choice types[] = {
	{"STATIC", CLUSTER_STATIC, false},
	{"STRICT_DNS", CLUSTER_STRICT_DNS, true},
	{NULL, 0, false},
};

static const struct config_choice protocols[] = {
	{"UDP", PROTOCOL_UDP, false},
	{"TCP", PROTOCOL_TCP, false},
	{NULL, 0, false},
};

/* Decimal digits up to `stop`; -1 if it is anything else or no port. */
static long range_number(const char **text, char stop)
{
	size_t digits = strspn(*text, "0123456789");
	if (digits == 0 || digits > 5 || (*text)[digits] != stop)
		return -1;
	long number = strtol(*text, NULL, 10);
	*text += digits + 1;
	return number <= UINT16_MAX ? number : -1;
}

const char *config_endpoint_parse(const char *text, struct config_endpoint *ret_endpoint)
{
	struct config_endpoint endpoint = {.port_min = 1, .port_max = UINT16_MAX};
	char copy[ADDR_TEXT_SIZE + 8];
	const char *range = strstr(text, ":<");
	size_t size = range ? (size_t)(range - text) : strlen(text);
	unsigned bits;
	if (size >= sizeof copy)
		return "is not an address or prefix: use IP or IP/bits, with :<min-max> behind it for a range of ports";
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (!prefix_parse(copy, &endpoint.ip, &bits))
		return "is not an address or prefix: use IP or IP/bits, with :<min-max> behind it for a range of ports";
	endpoint.bits = (uint8_t)bits;
	if (range) {
		const char *p = range + 2;
		long min = range_number(&p, '-');
		long max = min < 0 ? -1 : range_number(&p, '>');
		if (max < 1 || *p != '\0' || min > max)
			return "has no usable range of ports: use :<min-max> with angle brackets, from 1 to 65535";
		endpoint.port_min = (uint16_t)min;
		endpoint.port_max = (uint16_t)max;
	}
	*ret_endpoint = endpoint;
	return NULL;
}

static void read_endpoints(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_cluster *cluster = &((struct cluster_draft *)target)->cluster;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	cluster->endpoints = calloc(value->count + 1, sizeof *cluster->endpoints);
	if (cluster->endpoints == NULL) {
		config_reader_error(r, "out of memory");
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		const char *text = config_reader_text(r, &value->items[i]);
		const char *wrong = text ? config_endpoint_parse(text, &cluster->endpoints[cluster->endpoint_count]) : NULL;
		if (wrong)
			config_reader_error(r, "\"%s\" %s", text, wrong);
		else if (text)
			cluster->endpoint_count++;
		config_reader_up(r, mark);
	}
}

/* Does what the document gave as `type` go with its endpoints? STRICT_DNS has domain names there. */
static void read_type(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	config_read_choice(r, value, field, target);
	if (((struct cluster_draft *)target)->type == CLUSTER_STRICT_DNS)
		config_reader_error(r, "STRICT_DNS is not supported by this version: use STATIC, with IP addresses as endpoints");
}

static void read_endpoints_of_type(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	if (((struct cluster_draft *)target)->type == CLUSTER_STATIC)
		read_endpoints(r, value, field, target);
}

#define AT(member) offsetof(struct cluster_draft, member)
/* clang-format off */
const struct config_field config_schema_cluster[] = {
	/* name         reader                    where */
	{"name",        config_read_text,         IN_ALL, .offset = AT(cluster.name), .size = CONFIG_NAME_SIZE},
	{"type",        read_type,                IN_ALL, .offset = AT(type), .choices = types},
	{"protocol",    config_read_choice,       IN_ALL, .offset = AT(cluster.protocol), .choices = protocols},
	{"endpoints",   read_endpoints_of_type, .dialects = IN_ALL},
	{.name = NULL},
};
/* clang-format on */

static bool name_is_taken(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->cluster_count; i++)
		if (strcmp(config->clusters[i].name, name) == 0)
			return true;
	return false;
}

static void read_cluster(struct config_reader *r, const struct config_value *value)
{
	struct cluster_draft draft = {0};
	size_t errors = r->problems->errors;
	config_read_fields(r, value, config_schema_cluster, &draft);
	if (value->kind == VALUE_OBJECT && draft.cluster.name[0] == '\0' && errors == r->problems->errors)
		config_reader_error(r, "has no name: add \"name\", by which listeners route to it");
	else if (name_is_taken(r->config, draft.cluster.name))
		config_reader_error(r, "name \"%s\" is used by another cluster: give each its own", draft.cluster.name);
	if (draft.cluster.protocol == PROTOCOL_TCP)
		config_reader_warning(
			r, "protocol TCP: this version relays to UDP peers only; nothing is admitted by this cluster");
	r->config->clusters[r->config->cluster_count++] = draft.cluster;
}

void config_read_clusters(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	(void)target;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	r->config->clusters = calloc(value->count + 1, sizeof *r->config->clusters);
	if (r->config->clusters == NULL || value->count > UINT16_MAX) {
		config_reader_error(r, r->config->clusters ? "too many: use at most 65535" : "out of memory");
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		read_cluster(r, &value->items[i]);
		config_reader_up(r, mark);
	}
}

bool config_cluster_add_any(struct config *config, const char *name)
{
	struct config_cluster *clusters = realloc(config->clusters, (config->cluster_count + 1) * sizeof *clusters);
	if (clusters == NULL)
		return false;
	config->clusters = clusters;
	struct config_cluster any = {.endpoints = calloc(2, sizeof *any.endpoints), .endpoint_count = 2};
	if (any.endpoints == NULL)
		return false;
	config_set_text(any.name, sizeof any.name, name);
	for (int i = 0; i < 2; i++)
		any.endpoints[i] = (struct config_endpoint){
			.ip = addr_any(i ? ADDR_IPV6 : ADDR_IPV4, 0), .port_min = 1, .port_max = UINT16_MAX};
	config->clusters[config->cluster_count++] = any;
	return true;
}
