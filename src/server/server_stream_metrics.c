#include "server/server_stream_metrics.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

enum { SECONDS_PER_DAY = 86400 };

#define AT(field) offsetof(struct stream_counters, field)

/* Of one counter that every shard has. */
static uint64_t total(const struct server_view *view, size_t offset)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < view->shard_count; i++)
		sum += counter_read((const counter *)((const char *)&shard_counters(view->shards[i])->streams + offset));
	return sum;
}

struct row {
	const char *name, *help;
	enum prometheus_type type;
	size_t offset;
};

/* clang-format off */
static const struct row rows[] = {
	{"uturn_handshakes_active", "TLS and DTLS handshakes that are under way.", PROMETHEUS_GAUGE, AT(handshaking)},
	{"uturn_handshakes_resumed_total", "Handshakes that a session ticket made short.", PROMETHEUS_COUNTER, AT(resumed)},
	{"uturn_stream_queued_bytes", "Bytes that wait for clients that read slowly.", PROMETHEUS_GAUGE, AT(queued_bytes)},
	{"uturn_stream_dropped_packets_total", "Packets dropped because their client read too slowly.", PROMETHEUS_COUNTER, AT(queue_dropped)},
	{"uturn_dtls_cookies_total", "HelloVerifyRequests sent: clients that had to show that their address is theirs.", PROMETHEUS_COUNTER, AT(cookies_sent)},
	{"uturn_dtls_unknown_total", "Datagrams at DTLS listeners of nobody with an association, that are no ClientHello either.", PROMETHEUS_COUNTER, AT(unknown_datagrams)},
	{"uturn_proxy_headers_bad_total", "Datagrams without a good PROXY header where one was due.", PROMETHEUS_COUNTER, AT(proxy_headers_bad)},
};

static const char *const version_names[TLS_VERSIONS] = {
	[TLS_VERSION_1_2] = "TLSv1.2", [TLS_VERSION_1_3] = "TLSv1.3", [TLS_VERSION_DTLS_1_2] = "DTLSv1.2"};
/* clang-format on */

static const char *version_name(unsigned version)
{
	return version_names[version];
}

static const char *refusal_name(unsigned refusal)
{
	return stream_refusal_name((enum stream_refusal)refusal);
}

static const char *end_name(unsigned end)
{
	return stream_end_name((enum stream_end)end);
}

static const char *failure_name(unsigned failure)
{
	return tls_failure_name((enum tls_failure)failure);
}

static const char *reason_name(unsigned reason)
{
	return record_reason_name((enum record_reason)reason);
}

/* A family with one value for each of an enum's values, from `first` on. */
struct family {
	const char *name, *help, *label;
	const char *(*value)(unsigned);
	size_t offset;
	unsigned first, count;
};

static const struct family families[] = {
	{"uturn_connections_refused_total", "Connections that were not taken, by reason.", "reason", refusal_name, AT(refused), 0,
		STREAM_REFUSALS},
	{"uturn_connections_ended_total", "Connections that ended, by reason.", "reason", end_name, AT(ended), 0, STREAM_ENDS},
	{"uturn_handshakes_total", "TLS and DTLS handshakes that succeeded, by version.", "version", version_name, AT(handshakes),
		0, TLS_VERSIONS},
	{"uturn_handshakes_failed_total", "TLS and DTLS handshakes that failed, by reason.", "reason", failure_name,
		AT(handshakes_failed), TLS_FAIL_NONE + 1, TLS_FAILURES},
	{"uturn_records_refused_total", "TLS and DTLS records that were refused, by reason.", "reason", reason_name,
		AT(records_refused), RECORD_FINE + 1, RECORD_REASONS},
};

static void write_families(const struct server_view *view, struct prometheus *p)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		const struct family *family = &families[i];
		prometheus_family(p, family->name, PROMETHEUS_COUNTER, family->help);
		for (unsigned value = family->first; value < family->count; value++)
			prometheus_value(p, &(struct prometheus_label){family->label, family->value(value)}, 1,
				total(view, family->offset + value * sizeof(counter)));
	}
}

static uint64_t connections_of(const struct server_view *view, const struct config_listener *listener)
{
	return total(view, AT(connections) + listener->slot * sizeof(counter));
}

/* Of all slots with the name of listener `index` (and its protocol). */
static uint64_t connections_with_name(const struct server_view *view, size_t index, bool of_protocol)
{
	const struct config *config = view->config;
	const struct config_listener *named = &config->listeners[index];
	uint64_t sum = 0;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (strcmp(listener->name, named->name) == 0 && (!of_protocol || listener->protocol == named->protocol))
			sum += connections_of(view, listener);
	}
	return sum;
}

static void write_of_listeners(const struct server_view *view, struct prometheus *p, bool in_all)
{
	const struct config *config = view->config;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (!config_listener_connects(listener) || server_view_named_before(view, i, true))
			continue;
		struct prometheus_label labels[] = {
			{"listener", listener->name}, {"protocol", config_protocol_name(listener->protocol)}};
		uint64_t value =
			in_all ? listener_accounts_of(view->accounts, listener->name, listener->protocol, ACCOUNT_CONNECTIONS)
			       : connections_with_name(view, i, true);
		prometheus_value(p, labels, 2, value);
	}
}

/* Of each certificate of each listener: a time, or the whole days until then. */
static void write_expiry(const struct server_view *view, struct prometheus *p, bool in_days)
{
	uint64_t now_s = clock_now().wall_s;
	for (size_t i = 0; i < view->config->listener_count; i++) {
		const struct tls_context *context = view->streams->listeners[view->config->listeners[i].slot].tls;
		for (size_t n = 0; context != NULL && n < tls_context_identity_count(context); n++) {
			uint64_t expiry_s = tls_context_identity_expiry_s(context, n);
			uint64_t left_s = expiry_s > now_s ? expiry_s - now_s : 0;
			struct prometheus_label labels[] = {
				{"listener", view->config->listeners[i].name}, {"name", tls_context_identity_name(context, n)}};
			prometheus_value(p, labels, 2, in_days ? left_s / SECONDS_PER_DAY : expiry_s);
		}
	}
}

void server_stream_metrics_write(const struct server_view *view, struct prometheus *p)
{
	prometheus_family(
		p, "uturn_connections", PROMETHEUS_GAUGE, "Connections that are open: TCP, TLS, DTLS, and through proxies.");
	write_of_listeners(view, p, false);
	prometheus_family(p, "uturn_connections_total", PROMETHEUS_COUNTER, "Connections taken.");
	write_of_listeners(view, p, true);
	prometheus_single(p, "uturn_connections_max", PROMETHEUS_GAUGE,
		"Connections that this process can hold; 0 when no listener has any.", view->connections_max);
	write_families(view, p);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		prometheus_single(p, rows[i].name, rows[i].type, rows[i].help, total(view, rows[i].offset));
	prometheus_family(p, "uturn_certificate_expiry_timestamp_seconds", PROMETHEUS_GAUGE,
		"When a certificate, or the first one of its chain, expires, in seconds since 1970.");
	write_expiry(view, p, false);
	prometheus_family(p, "uturn_certificate_days_to_expiry", PROMETHEUS_GAUGE,
		"Whole days until a certificate, or the first one of its chain, expires; 0 when it has.");
	write_expiry(view, p, true);
}

/* As in stunnerd, a UDP listener has as many connections as there are threads that read it. */
static void write_stunner(const struct server_view *view, struct prometheus *p, bool in_all)
{
	const struct config *config = view->config;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (server_view_named_before(view, i, false))
			continue;
		uint64_t value = listener->protocol == PROTOCOL_UDP ? view->shard_count
				 : in_all ? listener_accounts_of_name(view->accounts, listener->name, ACCOUNT_CONNECTIONS)
					  : connections_with_name(view, i, false);
		prometheus_value(p, &(struct prometheus_label){"name", listener->name}, 1, value);
	}
}

void server_stream_metrics_write_stunner(const struct server_view *view, struct prometheus *p)
{
	prometheus_family(p, "stunner_listener_connections", PROMETHEUS_GAUGE,
		"Connections of a listener that are open; UDP listeners: shards that read the listener.");
	write_stunner(view, p, false);
	prometheus_family(p, "stunner_listener_connections_total", PROMETHEUS_COUNTER,
		"Connections that a listener has taken; UDP listeners: shards that have read the listener.");
	write_stunner(view, p, true);
}
