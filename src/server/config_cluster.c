#include "server/config_cluster.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefix_set.h"

static const struct config_choice types[] = {
	{"STATIC", CLUSTER_STATIC, false},
	{"STRICT_DNS", CLUSTER_STRICT_DNS, false},
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

/* Splits the range of ports off, if there is one: *ret_size is what stands in front of it. */
static const char *split_ports(const char *text, size_t *ret_size, uint16_t *ret_min, uint16_t *ret_max)
{
	const char *range = strstr(text, ":<");
	*ret_size = range ? (size_t)(range - text) : strlen(text);
	if (range == NULL)
		return NULL;
	const char *p = range + 2;
	long min = range_number(&p, '-');
	long max = min < 0 ? -1 : range_number(&p, '>');
	if (max < 1 || *p != '\0' || min > max)
		return "has no usable range of ports: use :<min-max> with angle brackets, from 1 to 65535";
	*ret_min = (uint16_t)min;
	*ret_max = (uint16_t)max;
	return NULL;
}

const char *config_endpoint_parse(const char *text, struct config_endpoint *ret_endpoint)
{
	struct config_endpoint endpoint = {.port_min = 1, .port_max = UINT16_MAX};
	char copy[ADDR_TEXT_SIZE + 8];
	unsigned bits;
	size_t size;
	const char *wrong_ports = split_ports(text, &size, &endpoint.port_min, &endpoint.port_max);
	bool fits = size < sizeof copy;
	if (fits) {
		memcpy(copy, text, size);
		copy[size] = '\0';
	}
	if (!fits || !prefix_parse(copy, &endpoint.ip, &bits))
		return "is not an address or prefix: use IP or IP/bits, with :<min-max> behind it for a range of ports; "
		       "domain names take type STRICT_DNS";
	if (wrong_ports)
		return wrong_ports;
	endpoint.bits = (uint8_t)bits;
	*ret_endpoint = endpoint;
	return NULL;
}

static bool is_label(const char *label, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	return size >= 1 && size <= 63 && strspn(label, allowed) >= size && label[0] != '-' && label[size - 1] != '-';
}

/* RFC 1123 Section 2.1, and the underscore that many names have. A number as the last label: an IP address gone wrong. */
static bool is_domain(const char *text, size_t size)
{
	size_t start = 0;
	if (size > 0 && text[size - 1] == '.')
		size--;
	if (size > CONFIG_DOMAIN_SIZE - 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '.')
			continue;
		if (!is_label(text + start, i - start))
			return false;
		start = i + 1;
	}
	return start < size && is_label(text + start, size - start) && strspn(text + start, "0123456789") < size - start;
}

const char *config_domain_parse(const char *text, struct config_domain *ret_domain)
{
	struct config_domain domain = {.port_min = 1, .port_max = UINT16_MAX};
	size_t size;
	const char *wrong_ports = split_ports(text, &size, &domain.port_min, &domain.port_max);
	if (!is_domain(text, size))
		return "is not a domain name: use labels of letters, digits, '-' and '_' with dots between them, or IP or IP/bits; "
		       ":<min-max> may stand behind it for a range of ports";
	if (wrong_ports)
		return wrong_ports;
	for (size_t i = 0; i < size; i++)
		domain.name[i] = (char)tolower((unsigned char)text[i]);
	*ret_domain = domain;
	return NULL;
}

static void read_endpoint(struct config_reader *r, const char *text, struct config_cluster *cluster)
{
	struct config_endpoint *endpoint = &cluster->endpoints[cluster->endpoint_count];
	const char *wrong = config_endpoint_parse(text, endpoint);
	if (wrong == NULL) {
		cluster->endpoint_count++;
	} else if (cluster->type == CLUSTER_STATIC) {
		config_reader_error(r, "\"%s\" %s", text, wrong);
	} else if (cluster->domain_count == CONFIG_CLUSTER_DOMAINS_MAX) {
		config_reader_error(r, "is one domain name too many: use at most %d in a cluster", CONFIG_CLUSTER_DOMAINS_MAX);
	} else {
		wrong = config_domain_parse(text, &cluster->domains[cluster->domain_count]);
		if (wrong)
			config_reader_error(r, "\"%s\" %s", text, wrong);
		else
			cluster->domain_count++;
	}
}

static void read_endpoints(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_cluster *cluster = target;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	bool names = cluster->type == CLUSTER_STRICT_DNS;
	size_t domains_max = value->count < CONFIG_CLUSTER_DOMAINS_MAX ? value->count : CONFIG_CLUSTER_DOMAINS_MAX;
	cluster->endpoints = calloc(value->count + 1, sizeof *cluster->endpoints);
	cluster->domains = names ? calloc(domains_max + 1, sizeof *cluster->domains) : NULL;
	if (cluster->endpoints == NULL || (names && cluster->domains == NULL)) {
		config_reader_error(r, "out of memory");
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		const char *text = config_reader_text(r, &value->items[i]);
		if (text)
			read_endpoint(r, text, cluster);
		config_reader_up(r, mark);
	}
}

#define AT(member) offsetof(struct config_cluster, member)
/* clang-format off */
const struct config_field config_schema_cluster[] = {
	/* name         reader               where */
	{"name",        config_read_text,    IN_ALL, .offset = AT(name), .size = CONFIG_NAME_SIZE},
	/* Before the endpoints, which are of this type. */
	{"type",        config_read_choice,  IN_ALL, .offset = AT(type), .choices = types},
	{"protocol",    config_read_choice,  IN_ALL, .offset = AT(protocol), .choices = protocols},
	{"endpoints",   read_endpoints, .dialects = IN_ALL},
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
	struct config_cluster cluster = {0};
	size_t errors = r->problems->errors;
	config_read_fields(r, value, config_schema_cluster, &cluster);
	if (value->kind == VALUE_OBJECT && cluster.name[0] == '\0' && errors == r->problems->errors)
		config_reader_error(r, "has no name: add \"name\", by which listeners route to it");
	else if (name_is_taken(r->config, cluster.name))
		config_reader_error(r, "name \"%s\" is used by another cluster: give each its own", cluster.name);
	if (cluster.protocol == PROTOCOL_TCP)
		config_reader_warning(
			r, "protocol TCP: this version relays to UDP peers only; nothing is admitted by this cluster");
	r->config->clusters[r->config->cluster_count++] = cluster;
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
	size_t domains = 0;
	for (size_t i = 0; i < r->config->cluster_count; i++)
		domains += r->config->clusters[i].domain_count;
	if (domains > CONFIG_DOMAINS_MAX)
		config_reader_error(r, "%zu domain names are too many: use at most %d in all", domains, CONFIG_DOMAINS_MAX);
}

void config_cluster_done(struct config_cluster *cluster)
{
	free(cluster->endpoints);
	free(cluster->domains);
}

static bool endpoints_equal(const struct config_endpoint *a, const struct config_endpoint *b)
{
	return addr_equal(&a->ip, &b->ip) && a->bits == b->bits && a->port_min == b->port_min && a->port_max == b->port_max;
}

static bool domains_equal(const struct config_domain *a, const struct config_domain *b)
{
	return strcmp(a->name, b->name) == 0 && a->port_min == b->port_min && a->port_max == b->port_max;
}

bool config_cluster_equal(const struct config_cluster *a, const struct config_cluster *b)
{
	bool equal = strcmp(a->name, b->name) == 0 && a->type == b->type && a->protocol == b->protocol &&
		     a->endpoint_count == b->endpoint_count && a->domain_count == b->domain_count;
	for (size_t i = 0; equal && i < a->endpoint_count; i++)
		equal = endpoints_equal(&a->endpoints[i], &b->endpoints[i]);
	for (size_t i = 0; equal && i < a->domain_count; i++)
		equal = domains_equal(&a->domains[i], &b->domains[i]);
	return equal;
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
