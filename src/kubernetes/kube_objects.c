#include "kubernetes/kube_objects.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* NULL unless it is an object of this kind. Ours to json_decref. */
static json_t *load(const char *text, const char *kind)
{
	json_t *object = json_loads(text, 0, NULL);
	const char *found = json_string_value(json_object_get(object, "kind"));
	if (found != NULL && strcmp(found, kind) == 0)
		return object;
	json_decref(object);
	return NULL;
}

/* The text at this place, or "". */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text == NULL ? "" : text;
}

static uint16_t port_of(const json_t *object, const char *key)
{
	json_int_t port = json_integer_value(json_object_get(object, key));
	return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void read_ports(const json_t *spec, struct kube_service *service)
{
	size_t i;
	const json_t *port, *chosen = NULL;
	json_array_foreach(json_object_get(spec, "ports"), i, port)
	{
		bool udp = strcmp(text_of(port, "protocol"), "UDP") == 0;
		if (chosen == NULL || udp)
			chosen = port;
		if (udp)
			break;
	}
	service->port = port_of(chosen, "port");
	service->node_port = port_of(chosen, "nodePort");
}

bool kube_service_read(const char *text, struct kube_service *ret_service)
{
	json_t *object = load(text, "Service");
	if (object == NULL)
		return false;
	struct kube_service service = {0};
	const json_t *spec = json_object_get(object, "spec");
	const json_t *balancer = json_object_get(json_object_get(object, "status"), "loadBalancer");
	const json_t *ingress = json_array_get(json_object_get(balancer, "ingress"), 0);
	const char *ip = text_of(ingress, "ip");
	snprintf(service.type, sizeof service.type, "%s", text_of(spec, "type"));
	snprintf(service.ingress, sizeof service.ingress, "%s", *ip ? ip : text_of(ingress, "hostname"));
	read_ports(spec, &service);
	json_decref(object);
	*ret_service = service;
	return true;
}

static bool is_ready(const json_t *node)
{
	size_t i;
	const json_t *condition;
	json_array_foreach(json_object_get(json_object_get(node, "status"), "conditions"), i, condition)
	{
		if (strcmp(text_of(condition, "type"), "Ready") == 0)
			return strcmp(text_of(condition, "status"), "True") == 0;
	}
	return false;
}

static const char *address_of(const json_t *node, const char *type)
{
	size_t i;
	const json_t *address;
	json_array_foreach(json_object_get(json_object_get(node, "status"), "addresses"), i, address)
	{
		if (strcmp(text_of(address, "type"), type) == 0)
			return text_of(address, "address");
	}
	return "";
}

static enum kube_node_rank rank_of(const json_t *node, const char **ret_ip)
{
	bool ready = is_ready(node);
	*ret_ip = address_of(node, "ExternalIP");
	if (**ret_ip != '\0')
		return ready ? NODE_EXTERNAL_READY : NODE_EXTERNAL;
	*ret_ip = address_of(node, "InternalIP");
	if (**ret_ip != '\0')
		return ready ? NODE_INTERNAL_READY : NODE_INTERNAL;
	return NODE_NONE;
}

/* The API server's token is base64 for URLs: nothing in it needs an escape. What is not like that is not asked with. */
static void read_continue(const json_t *list, char ret_continue[static KUBE_CONTINUE_SIZE])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const char *text = text_of(json_object_get(list, "metadata"), "continue");
	size_t size = strlen(text);
	bool fits = size < KUBE_CONTINUE_SIZE && strspn(text, allowed) == size;
	snprintf(ret_continue, KUBE_CONTINUE_SIZE, "%s", fits ? text : "");
}

bool kube_nodes_read(const char *text, struct kube_node *node, char ret_continue[static KUBE_CONTINUE_SIZE])
{
	json_t *list = load(text, "NodeList");
	if (list == NULL)
		return false;
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(list, "items"), i, item)
	{
		const char *ip;
		enum kube_node_rank rank = rank_of(item, &ip);
		if (rank <= node->rank)
			continue;
		node->rank = rank;
		snprintf(node->ip, sizeof node->ip, "%s", ip);
	}
	read_continue(list, ret_continue);
	json_decref(list);
	return true;
}

void kube_status_read(const char *text, char ret_message[static KUBE_MESSAGE_SIZE])
{
	json_t *object = load(text, "Status");
	/* One line of a log, whatever the server says. */
	snprintf(ret_message, KUBE_MESSAGE_SIZE, "%s", text_of(object, "message"));
	for (char *p = ret_message; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	json_decref(object);
}

char *kube_public_address_patch(const char *host, uint16_t port)
{
	char port_text[8];
	snprintf(port_text, sizeof port_text, "%u", port);
	json_t *patch = json_pack("{s:{s:s,s:s}}", "data", "STUNNER_PUBLIC_ADDR", host, "STUNNER_PUBLIC_PORT", port_text);
	char *text = patch == NULL ? NULL : json_dumps(patch, JSON_COMPACT);
	json_decref(patch);
	return text;
}

bool kube_name_valid(const char *name, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	return size > 0 && size < KUBE_NAME_SIZE && strspn(name, allowed) >= size && name[0] != '.' && name[size - 1] != '.';
}
