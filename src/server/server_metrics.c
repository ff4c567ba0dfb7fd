#include "server/server_metrics.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "ops/process_stats.h"
#include "ops/prometheus.h"
#include "server/server_cluster_metrics.h"
#include "server/server_stream_metrics.h"

enum source { FROM_TURN, FROM_ENGINE, FROM_SHARD };

/* A counter that every shard has. */
struct place {
	enum source source;
	size_t offset;
};
#define IN_TURN(field)                                                                                                             \
	{                                                                                                                          \
		FROM_TURN, offsetof(struct turn_counters, field)                                                                   \
	}
#define IN_ENGINE(field)                                                                                                           \
	{                                                                                                                          \
		FROM_ENGINE, offsetof(struct engine_counters, field)                                                               \
	}
#define IN_SHARD(field)                                                                                                            \
	{                                                                                                                          \
		FROM_SHARD, offsetof(struct shard_counters, field)                                                                 \
	}

static const char *counters_of(const struct shard *shard, enum source source)
{
	switch (source) {
	case FROM_TURN:
		return (const char *)shard_turn_counters(shard);
	case FROM_ENGINE:
		return (const char *)shard_engine_counters(shard);
	case FROM_SHARD:
		return (const char *)shard_counters(shard);
	}
	assert(false);
	return NULL;
}

static uint64_t total(const struct server_view *view, struct place place)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < view->shard_count; i++)
		sum += counter_read((const counter *)(counters_of(view->shards[i], place.source) + place.offset));
	return sum;
}

/* Either the start of a family (it has a name) or one of its values. */
struct row {
	const char *name, *help;
	enum prometheus_type type;
	struct place place;
	const char *label, *value; /* NULL: the family has this value only */
};

/* clang-format off */
#define COUNTER(name_, help_)        {.name = name_, .help = help_, .type = PROMETHEUS_COUNTER},
#define GAUGE(name_, help_)          {.name = name_, .help = help_, .type = PROMETHEUS_GAUGE},
#define VALUE(place_)                {.place = place_},
#define BY(label_, value_, place_)   {.place = place_, .label = label_, .value = value_},
#define VERDICT_VALUE(verdict, label, help) BY("verdict", label, IN_TURN(verdicts[verdict]))
#define CAUSE_VALUE(cause, label, help)     BY("cause", label, IN_TURN(auth_failures[cause]))

static const struct row rows[] = {
	COUNTER("uturn_packets_total", "Packets that the TURN core was given, by what became of them.")
		TURN_VERDICTS(VERDICT_VALUE)
	COUNTER("uturn_auth_failures_total", "Requests that were not authenticated, by cause; missing is every client's first.")
		TURN_AUTH_FAILURES(CAUSE_VALUE)
	COUNTER("uturn_auth_accepted_secrets_total", "Requests with ephemeral credentials made with one of auth.credentials.accepted_secrets.")
		VALUE(IN_TURN(accepted_secrets))
	COUNTER("uturn_requests_total", "STUN and TURN requests, by method.")
		BY("method", "binding", IN_TURN(requests[STUN_BINDING]))
		BY("method", "binding_classic", IN_TURN(requests_classic))
		BY("method", "allocate", IN_TURN(requests[STUN_ALLOCATE]))
		BY("method", "refresh", IN_TURN(requests[STUN_REFRESH]))
		BY("method", "create_permission", IN_TURN(requests[STUN_CREATE_PERMISSION]))
		BY("method", "channel_bind", IN_TURN(requests[STUN_CHANNEL_BIND]))

	GAUGE("stunner_allocations_active", "Allocations that are live, under stunnerd's name.")
		VALUE(IN_TURN(allocations))
	GAUGE("uturn_allocations", "Allocations that are live.")
		VALUE(IN_TURN(allocations))
	COUNTER("uturn_allocations_total", "Allocations made.")
		VALUE(IN_TURN(allocations_total))
	COUNTER("uturn_allocations_expired_total", "Allocations ended by time and not by their client.")
		VALUE(IN_TURN(allocations_expired))
	COUNTER("uturn_allocations_refused_total", "Allocations refused because a bound of this machine was reached (508).")
		VALUE(IN_TURN(allocations_refused_capacity))
	GAUGE("uturn_permissions", "Permissions that are live.")
		VALUE(IN_TURN(permissions))
	GAUGE("uturn_channels", "Channel bindings that are live.")
		VALUE(IN_TURN(channels))
	GAUGE("uturn_reservations", "Relay ports reserved by EVEN-PORT and not yet claimed.")
		VALUE(IN_TURN(reservations))

	COUNTER("uturn_received_packets_total", "Datagrams received, by kind of socket.")
		BY("socket", "listener", IN_ENGINE(received_packets[SOCKET_LISTENER]))
		BY("socket", "relay", IN_ENGINE(received_packets[SOCKET_RELAY]))
	COUNTER("uturn_received_aggregates_total", "Receives that brought several datagrams at once (UDP_GRO), by kind of socket.")
		BY("socket", "listener", IN_ENGINE(received_aggregates[SOCKET_LISTENER]))
		BY("socket", "relay", IN_ENGINE(received_aggregates[SOCKET_RELAY]))
	COUNTER("uturn_receive_truncated_total", "Datagrams dropped because they did not fit a receive buffer.")
		VALUE(IN_ENGINE(receive_truncated))
	COUNTER("uturn_receive_errors_total", "Errors on sockets while receiving, ICMP errors among them.")
		VALUE(IN_ENGINE(receive_errors))
	COUNTER("uturn_kernel_drops_total", "Datagrams that the kernel dropped for want of room in a socket's receive buffer.")
		BY("socket", "listener", IN_ENGINE(kernel_drops[SOCKET_LISTENER]))
		BY("socket", "relay", IN_ENGINE(kernel_drops[SOCKET_RELAY]))
	COUNTER("uturn_buffer_shortage_total", "Times a receive stopped because all receive buffers of its shard were in use.")
		VALUE(IN_ENGINE(buffer_shortage))
	COUNTER("uturn_rearms_total", "Multishot receives started again after the kernel ended them.")
		VALUE(IN_ENGINE(rearms))
	COUNTER("uturn_rearms_delayed_total", "Multishot receives started again later, because their socket failed too often.")
		VALUE(IN_ENGINE(rearms_delayed))

	COUNTER("uturn_sent_packets_total", "Datagrams handed to the kernel.")
		VALUE(IN_ENGINE(sent_packets))
	COUNTER("uturn_sent_bytes_total", "UDP payload handed to the kernel.")
		VALUE(IN_ENGINE(sent_bytes))
	COUNTER("uturn_trains_total", "Trains sent: several datagrams in one call (UDP_SEGMENT).")
		VALUE(IN_ENGINE(sent_trains))
	COUNTER("uturn_train_segments_total", "Datagrams sent as part of a train.")
		VALUE(IN_ENGINE(train_segments))
	COUNTER("uturn_trains_split_total", "Trains that device or path did not take, so that they left as single datagrams.")
		VALUE(IN_ENGINE(trains_split))
	COUNTER("uturn_send_drops_total", "Datagrams dropped while sending, by reason.")
		BY("reason", "full", IN_ENGINE(send_again))
		BY("reason", "unreachable", IN_ENGINE(send_unreachable))
		BY("reason", "other", IN_ENGINE(send_other))

	COUNTER("uturn_loop_turns_total", "Turns of the shards' loops.")
		VALUE(IN_ENGINE(turns))
	COUNTER("uturn_system_calls_total", "System calls on the packet path.")
		VALUE(IN_ENGINE(system_calls))
	COUNTER("uturn_mailbox_full_total", "Messages between threads that found no room.")
		VALUE(IN_SHARD(mailbox_full))
	GAUGE("uturn_relay_sockets", "Relay sockets that are open.")
		VALUE(IN_SHARD(relay_sockets))
	COUNTER("uturn_relay_open_failures_total", "Relay sockets that could not be opened.")
		VALUE(IN_SHARD(relay_open_failures))
};
/* clang-format on */

static void write_rows(const struct server_view *view, struct prometheus *p)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		if (row->name != NULL) {
			prometheus_family(p, row->name, row->type, row->help);
			continue;
		}
		struct prometheus_label label = {row->label, row->value};
		prometheus_value(p, &label, row->label != NULL, total(view, row->place));
	}
}

static void write_errors(const struct server_view *view, struct prometheus *p)
{
	prometheus_family(p, "uturn_errors_total", PROMETHEUS_COUNTER, "Error answers, by STUN error code.");
	for (size_t i = 0; turn_error_codes[i] != 0; i++) {
		struct place place = IN_TURN(errors);
		place.offset += i * sizeof(counter);
		char code[8];
		snprintf(code, sizeof code, "%u", turn_error_codes[i]);
		prometheus_value(p, &(struct prometheus_label){"code", code}, 1, total(view, place));
	}
}

/* What stunnerd exports of listeners and clusters: one row per direction. rx is what the relay received on that side. */
struct direction {
	const char *name;
	size_t packets, bytes; /* in struct traffic_counters */
	enum account_counter listener_packets, listener_bytes;
};
static const struct direction directions[] = {
	{"rx", offsetof(struct traffic_counters, rx_packets), offsetof(struct traffic_counters, rx_bytes), ACCOUNT_RX_PACKETS,
		ACCOUNT_RX_BYTES},
	{"tx", offsetof(struct traffic_counters, tx_packets), offsetof(struct traffic_counters, tx_bytes), ACCOUNT_TX_PACKETS,
		ACCOUNT_TX_BYTES},
};

static void write_traffic(const struct server_view *view, struct prometheus *p, const char *name, struct place traffic, bool bytes)
{
	for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++) {
		const struct direction *direction = &directions[i];
		struct place place = traffic;
		place.offset += bytes ? direction->bytes : direction->packets;
		struct prometheus_label labels[] = {{"name", name}, {"direction", direction->name}};
		prometheus_value(p, labels, 2, total(view, place));
	}
}

static void write_listener_traffic(const struct server_view *view, struct prometheus *p, bool bytes)
{
	const struct config *config = view->config;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		const char *name = config->listeners[i].name;
		if (server_view_named_before(view, i, false))
			continue;
		for (size_t d = 0; d < sizeof directions / sizeof directions[0]; d++) {
			const struct direction *direction = &directions[d];
			struct prometheus_label labels[] = {{"name", name}, {"direction", direction->name}};
			enum account_counter which = bytes ? direction->listener_bytes : direction->listener_packets;
			prometheus_value(p, labels, 2, listener_accounts_of_name(view->accounts, name, which));
		}
	}
}

static void write_cluster_traffic(const struct server_view *view, struct prometheus *p, bool bytes)
{
	for (uint16_t id = 0; id < LIMIT_CLUSTERS; id++) {
		const char *name = cluster_registry_name(view->registry, id);
		if (name == NULL)
			continue;
		struct place place = IN_SHARD(clusters);
		place.offset += id * sizeof(struct traffic_counters);
		write_traffic(view, p, name, place, bytes);
	}
}

static void write_stunner(const struct server_view *view, struct prometheus *p)
{
	server_stream_metrics_write_stunner(view, p);
	prometheus_family(p, "stunner_listener_packets_total", PROMETHEUS_COUNTER, "Packets between clients and a listener.");
	write_listener_traffic(view, p, false);
	prometheus_family(p, "stunner_listener_bytes_total", PROMETHEUS_COUNTER, "Bytes between clients and a listener.");
	write_listener_traffic(view, p, true);
	prometheus_family(
		p, "stunner_cluster_packets_total", PROMETHEUS_COUNTER, "Packets between the relay and a cluster's peers.");
	write_cluster_traffic(view, p, false);
	prometheus_family(p, "stunner_cluster_bytes_total", PROMETHEUS_COUNTER, "Bytes between the relay and a cluster's peers.");
	write_cluster_traffic(view, p, true);
}

static void write_turn_time(const struct server_view *view, struct prometheus *p)
{
	uint64_t buckets[TURN_TIME_BUCKETS];
	for (size_t i = 0; i < TURN_TIME_BUCKETS; i++) {
		struct place place = IN_SHARD(turn_time_buckets);
		place.offset += i * sizeof(counter);
		buckets[i] = total(view, place);
	}
	prometheus_family(
		p, "uturn_turn_seconds", PROMETHEUS_HISTOGRAM, "Time that one turn of a shard's loop took, waiting not included.");
	prometheus_histogram(p, &(struct prometheus_histogram){
					.bounds_ns = turn_time_bounds_ns,
					.buckets = buckets,
					.bound_count = TURN_TIME_BUCKETS - 1,
					.sum_ns = total(view, (struct place)IN_SHARD(turn_time_sum_ns)),
				});
}

static void write_source(const struct source_view *source, struct prometheus *p)
{
	if (source->id == NULL)
		return;
	prometheus_single(p, "uturn_config_source_connected", PROMETHEUS_GAUGE,
		"1 while the config discovery service is connected that configurations come from.", source->connected);
	prometheus_single(p, "uturn_config_source_connects_total", PROMETHEUS_COUNTER,
		"Connections made to the config discovery service.", source->connects);
	prometheus_single(p, "uturn_config_source_messages_total", PROMETHEUS_COUNTER,
		"Configurations that the config discovery service has sent.", source->messages);
	prometheus_single(p, "uturn_config_source_refused_total", PROMETHEUS_COUNTER,
		"Configurations of the config discovery service that could not be used.", source->refused);
}

static uint64_t waiting_listeners(const struct config *config)
{
	uint64_t waiting = 0;
	for (size_t i = 0; i < config->listener_count; i++)
		waiting += config_listener_waits(&config->listeners[i]);
	return waiting;
}

static void write_server(const struct server_view *view, struct prometheus *p)
{
	prometheus_family(p, "uturn_build_info", PROMETHEUS_GAUGE, "1, with the version as a label.");
	prometheus_value(p, &(struct prometheus_label){"version", UTURN_VERSION}, 1, 1);
	prometheus_family(p, "uturn_engine_info", PROMETHEUS_GAUGE, "1, with the engine and why it was chosen as labels.");
	struct prometheus_label engine[] = {{"engine", engine_name(view->engine)}, {"reason", view->engine_reason}};
	prometheus_value(p, engine, 2, 1);
	prometheus_single(p, "uturn_shards", PROMETHEUS_GAUGE, "Shards: threads that relay.", view->shard_count);
	prometheus_single(p, "uturn_allocations_max", PROMETHEUS_GAUGE,
		"Allocations that this process can hold; beyond it the answer is 508.", view->allocations_max);
	prometheus_single(p, "uturn_ready", PROMETHEUS_GAUGE, "1 once a configuration is in effect and packets flow.", view->ready);
	prometheus_single(p, "uturn_listeners_retiring", PROMETHEUS_GAUGE,
		"Listeners that were removed or replaced and still serve clients.", view->config->retiring_count);
	prometheus_single(p, "uturn_listeners_waiting", PROMETHEUS_GAUGE,
		"Listeners without all of their sockets, because a retiring one or another process is in the way.",
		waiting_listeners(view->config));
	prometheus_single(p, "uturn_draining", PROMETHEUS_GAUGE,
		"1 while the process takes no new allocations and waits for the last one to end.", view->draining);

	prometheus_family(p, "uturn_config_reloads_total", PROMETHEUS_COUNTER, "Reloads of the configuration, by result.");
	prometheus_value(p, &(struct prometheus_label){"result", "success"}, 1, view->reloads_ok);
	prometheus_value(p, &(struct prometheus_label){"result", "failure"}, 1, view->reloads_failed);
	prometheus_single(p, "uturn_config_last_reload_successful", PROMETHEUS_GAUGE,
		"0 when the last reload was refused and the configuration before it still runs.", view->last_reload_ok);
	prometheus_single(p, "uturn_config_last_reload_timestamp_seconds", PROMETHEUS_GAUGE,
		"When the configuration was last loaded with success, in seconds since 1970.", view->last_reload_wall_s);
	write_source(&view->source, p);
}

static void write_process(const struct server_view *view, struct prometheus *p)
{
	struct process_stats stats = process_stats_read();
	prometheus_family(
		p, "process_cpu_seconds_total", PROMETHEUS_COUNTER, "Processor time of all threads, user and system, in seconds.");
	prometheus_seconds(p, NULL, 0, stats.cpu_ns);
	prometheus_single(p, "process_open_fds", PROMETHEUS_GAUGE, "Open file descriptors.", stats.open_fds);
	prometheus_single(p, "process_max_fds", PROMETHEUS_GAUGE, "Limit on open file descriptors.", stats.max_fds);
	prometheus_single(p, "process_resident_memory_bytes", PROMETHEUS_GAUGE, "Resident memory in bytes.", stats.resident_bytes);
	prometheus_single(p, "process_virtual_memory_bytes", PROMETHEUS_GAUGE, "Virtual memory in bytes.", stats.virtual_bytes);
	prometheus_single(p, "process_start_time_seconds", PROMETHEUS_GAUGE, "Start of the process, in seconds since 1970.",
		view->started.wall_s);
}

bool server_metrics_write(const struct server_view *view, struct evbuffer *out)
{
	struct prometheus p;
	prometheus_init(&p, out);
	write_rows(view, &p);
	write_errors(view, &p);
	write_turn_time(view, &p);
	server_stream_metrics_write(view, &p);
	write_server(view, &p);
	write_stunner(view, &p);
	server_cluster_metrics_write(view, &p);
	write_process(view, &p);
	return !p.failed;
}

void server_metrics_serve(void *view, const struct http_request *request, struct http_reply *reply)
{
	(void)request;
	reply->content_type = PROMETHEUS_CONTENT_TYPE;
	if (!server_metrics_write(view, reply->body))
		reply->status = 500;
}
