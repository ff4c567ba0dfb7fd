#include "server/server_allocations.h"

#include <stdlib.h>
#include <string.h>

#include "base/percent.h"
#include "ops/json_writer.h"

struct filter {
	bool by_user;
	char user[STUN_USERNAME_SIZE_MAX + 1];
	struct addr client; /* ADDR_NONE: any */
};

/* An IP address, with or without a port; IPv6 in brackets if there is one. */
static bool parse_client(char *text, struct addr *ret_client)
{
	struct addr client;
	uint16_t port = 0;
	char *ip = text, *end;
	if (*text == '[') {
		ip = text + 1;
		end = strchr(ip, ']');
		if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !addr_parse_port(end + 2, &port))))
			return false;
		*end = '\0';
	} else {
		end = strchr(ip, ':');
		if (end != NULL && strchr(end + 1, ':') == NULL) {
			if (!addr_parse_port(end + 1, &port))
				return false;
			*end = '\0';
		}
	}
	if (!addr_parse_ip(ip, &client))
		return false;
	*ret_client = addr_with_port(client, port);
	return true;
}

/* One name=value of the query. NULL, or what is wrong with it. */
static const char *parse_term(const char *term, size_t size, struct filter *filter)
{
	if (size > 5 && memcmp(term, "user=", 5) == 0) {
		if (filter->by_user)
			return "user is named twice";
		if (!percent_decode(term + 5, size - 5, PERCENT_QUERY, filter->user, sizeof filter->user))
			return "user is not percent-encoded text of at most 508 bytes";
		filter->by_user = true;
		return NULL;
	}
	if (size > 7 && memcmp(term, "client=", 7) == 0) {
		char text[ADDR_TEXT_SIZE];
		if (filter->client.family != ADDR_NONE)
			return "client is named twice";
		if (!percent_decode(term + 7, size - 7, PERCENT_QUERY, text, sizeof text) || !parse_client(text, &filter->client))
			return "client is not an IP address or IP:port ([IPv6]:port)";
		return NULL;
	}
	return "a query is user=NAME, client=IP or client=IP:port";
}

static const char *parse_query(const char *query, struct filter *ret_filter)
{
	*ret_filter = (struct filter){0};
	while (*query != '\0') {
		size_t size = strcspn(query, "&");
		const char *problem = parse_term(query, size, ret_filter);
		if (problem != NULL)
			return problem;
		query += size;
		query += *query == '&';
	}
	return NULL;
}

static void write_addr(struct json_writer *j, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	json_write_text(j, key, addr_format(addr, text));
}

static const char *transport_name(uint16_t transport)
{
	static const char *const names[] = {
		[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls", [TRANSPORT_DTLS] = "dtls"};
	return transport < sizeof names / sizeof names[0] ? names[transport] : "";
}

static const char *listener_name(const struct server_view *view, unsigned slot)
{
	const struct config *config = view->config;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++)
		if (config->listeners[i].slot == slot)
			return config->listeners[i].name;
	return "";
}

static void write_allocation(
	struct json_writer *j, const struct server_view *view, unsigned shard, const struct allocation_info *info)
{
	json_write_begin(j, NULL, '{');
	json_write_text(j, "username", info->username);
	write_addr(j, "client", &info->flow.client);
	write_addr(j, "server", &info->flow.local);
	write_addr(j, "relayed", &info->relayed);
	json_write_text(j, "transport", transport_name(info->flow.transport));
	json_write_text(j, "listener", listener_name(view, info->flow.listener));
	json_write_number(j, "shard", shard);
	json_write_number(j, "age_s", info->age_s);
	json_write_number(j, "lifetime_left_s", info->lifetime_left_s);
	json_write_number(j, "permissions", info->permissions);
	json_write_number(j, "channels", info->channels);
	json_write_number(j, "from_client_packets", info->from_client_packets);
	json_write_number(j, "from_client_bytes", info->from_client_bytes);
	json_write_number(j, "to_client_packets", info->to_client_packets);
	json_write_number(j, "to_client_bytes", info->to_client_bytes);
	json_write_number(j, "refused_packets", info->refused_packets);
	json_write_end(j, '}');
}

static void refuse(struct http_reply *reply, int status, const char *problem)
{
	struct json_writer j;
	json_write_init(&j, reply->body);
	json_write_begin(&j, NULL, '{');
	json_write_number(&j, "status", (uint64_t)status);
	json_write_text(&j, "message", problem);
	json_write_end(&j, '}');
	evbuffer_add(reply->body, "\n", 1);
	reply->status = status;
}

static void write_allocations(
	struct json_writer *j, const struct server_view *view, const struct filter *filter, struct allocation_info *infos)
{
	size_t total = 0, listed = 0;
	bool incomplete = false;
	json_write_begin(j, "allocations", '[');
	for (unsigned i = 0; i < view->shard_count; i++) {
		size_t room = ALLOCATIONS_LISTED_MAX - listed;
		ssize_t found = shard_find_allocations(
			view->shards[i], filter->by_user ? filter->user : NULL, &filter->client, infos, room);
		if (found < 0) {
			incomplete = true;
			break;
		}
		total += (size_t)found;
		for (size_t k = 0; k < (size_t)found && k < room; k++, listed++)
			write_allocation(j, view, i, &infos[k]);
	}
	json_write_end(j, ']');
	json_write_number(j, "total", total);
	json_write_bool(j, "truncated", listed < total);
	json_write_bool(j, "incomplete", incomplete);
}

void server_allocations_serve(void *context, const struct http_request *request, struct http_reply *reply)
{
	const struct server_view *view = context;
	reply->content_type = "application/json; charset=utf-8";
	struct filter filter;
	const char *problem = parse_query(request->query, &filter);
	if (problem != NULL) {
		refuse(reply, 400, problem);
		return;
	}
	struct allocation_info *infos = calloc(ALLOCATIONS_LISTED_MAX, sizeof *infos);
	if (infos == NULL) {
		refuse(reply, 503, "no memory");
		return;
	}
	struct json_writer j;
	json_write_init(&j, reply->body);
	json_write_begin(&j, NULL, '{');
	write_allocations(&j, view, &filter, infos);
	json_write_end(&j, '}');
	evbuffer_add(reply->body, "\n", 1);
	free(infos);
	if (j.failed)
		reply->status = 500;
}
