#include "server/server_metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_shards.h"
#include "ops/prometheus.h"

static struct server_view *view;
static struct evbuffer *out;

static void open_view(void)
{
	view = fake_view();
	out = evbuffer_new();
}

static void close_view(void)
{
	evbuffer_free(out);
	fake_remove_listeners();
	cluster_registry_free((struct cluster_registry *)view->registry);
}

TestSuite(server_metrics, .init = open_view, .fini = close_view);

static const char *written(void)
{
	evbuffer_drain(out, evbuffer_get_length(out));
	cr_assert(server_metrics_write(view, out));
	evbuffer_add(out, "", 1);
	return (const char *)evbuffer_pullup(out, -1);
}

/* A whole line. */
static void expect_line(const char *line)
{
	char framed[512];
	snprintf(framed, sizeof framed, "\n%s\n", line);
	cr_expect(strstr(written(), framed), "%s is not in\n%s", line, written());
}

Test(server_metrics, sums_the_shards)
{
	counter_add(&fake_shards[0].turn.verdicts[FORWARD_TO_PEER], 5);
	counter_add(&fake_shards[1].turn.verdicts[FORWARD_TO_PEER], 7);
	counter_add(&fake_shards[0].turn.auth_failures[AUTH_FAIL_DISABLED], 1);
	counter_add(&fake_shards[1].turn.requests[STUN_CHANNEL_BIND], 2);
	counter_add(&fake_shards[0].turn.requests_classic, 6);
	counter_add(&fake_shards[0].turn.allocations, 3);
	counter_add(&fake_shards[1].turn.allocations, 4);
	counter_add(&fake_shards[0].engine.received_packets[SOCKET_RELAY], 10);
	counter_add(&fake_shards[1].engine.send_unreachable, 11);
	counter_add(&fake_shards[1].engine.kernel_drops[SOCKET_LISTENER], 12);
	counter_add(&fake_shards[0].counters.relay_open_failures, 13);
	expect_line("uturn_packets_total{verdict=\"to_peer\"} 12");
	expect_line("uturn_packets_total{verdict=\"to_client\"} 0");
	expect_line("uturn_auth_failures_total{cause=\"disabled\"} 1");
	expect_line("uturn_requests_total{method=\"channel_bind\"} 2");
	expect_line("uturn_requests_total{method=\"binding\"} 0");
	expect_line("uturn_requests_total{method=\"binding_classic\"} 6");
	expect_line("uturn_allocations 7");
	expect_line("stunner_allocations_active 7");
	expect_line("uturn_received_packets_total{socket=\"relay\"} 10");
	expect_line("uturn_received_packets_total{socket=\"listener\"} 0");
	expect_line("uturn_send_drops_total{reason=\"unreachable\"} 11");
	expect_line("uturn_kernel_drops_total{socket=\"listener\"} 12");
	expect_line("uturn_relay_open_failures_total 13");
}

Test(server_metrics, has_every_verdict_and_every_cause)
{
	char line[128];
#define EXPECT_VERDICT(name, label, help)                                                                                          \
	counter_add(&fake_shards[0].turn.verdicts[name], 100 + name);                                                              \
	snprintf(line, sizeof line, "uturn_packets_total{verdict=\"" label "\"} %d", 100 + name);                                  \
	expect_line(line);
#define EXPECT_CAUSE(name, label, help)                                                                                            \
	counter_add(&fake_shards[0].turn.auth_failures[name], 200 + name);                                                         \
	snprintf(line, sizeof line, "uturn_auth_failures_total{cause=\"" label "\"} %d", 200 + name);                              \
	expect_line(line);
	TURN_VERDICTS(EXPECT_VERDICT)
	TURN_AUTH_FAILURES(EXPECT_CAUSE)
}

Test(server_metrics, counts_errors_by_their_code)
{
	counter_add(&fake_shards[0].turn.errors[2], 4);
	counter_add(&fake_shards[1].turn.errors[3], 5);
	expect_line("uturn_errors_total{code=\"300\"} 0");
	expect_line("uturn_errors_total{code=\"401\"} 4");
	expect_line("uturn_errors_total{code=\"508\"} 5");
}

Test(server_metrics, has_the_names_of_stunnerd)
{
	fake_shards[0].counters.listeners[0] = (struct traffic_counters){{1}, {2}, {3}, {4}};
	fake_shards[1].counters.listeners[0] = (struct traffic_counters){{10}, {20}, {30}, {40}};
	fake_shards[1].counters.clusters[1] = (struct traffic_counters){{5}, {6}, {7}, {8}};
	expect_line("stunner_listener_connections{name=\"udp\"} 2");
	expect_line("stunner_listener_connections_total{name=\"udp\"} 2");
	expect_line("stunner_listener_packets_total{name=\"udp\",direction=\"rx\"} 11");
	expect_line("stunner_listener_bytes_total{name=\"udp\",direction=\"rx\"} 22");
	expect_line("stunner_listener_packets_total{name=\"udp\",direction=\"tx\"} 33");
	expect_line("stunner_listener_bytes_total{name=\"udp\",direction=\"tx\"} 44");
	expect_line("stunner_cluster_packets_total{name=\"pods\",direction=\"rx\"} 0");
	expect_line("stunner_cluster_packets_total{name=\"a\\\"b\",direction=\"rx\"} 5");
	expect_line("stunner_cluster_bytes_total{name=\"a\\\"b\",direction=\"rx\"} 6");
	expect_line("stunner_cluster_packets_total{name=\"a\\\"b\",direction=\"tx\"} 7");
	expect_line("stunner_cluster_bytes_total{name=\"a\\\"b\",direction=\"tx\"} 8");
}

Test(server_metrics, shows_turn_times_of_all_shards_as_one_histogram)
{
	counter_add(&fake_shards[0].counters.turn_time_buckets[0], 1);
	counter_add(&fake_shards[1].counters.turn_time_buckets[0], 2);
	counter_add(&fake_shards[1].counters.turn_time_buckets[TURN_TIME_BUCKETS - 1], 4);
	counter_add(&fake_shards[0].counters.turn_time_sum_ns, 1500);
	counter_add(&fake_shards[1].counters.turn_time_sum_ns, 500);
	expect_line("# TYPE uturn_turn_seconds histogram");
	expect_line("uturn_turn_seconds_bucket{le=\"0.000002\"} 3");
	expect_line("uturn_turn_seconds_bucket{le=\"0.02\"} 3");
	expect_line("uturn_turn_seconds_bucket{le=\"+Inf\"} 7");
	expect_line("uturn_turn_seconds_sum 0.000002");
	expect_line("uturn_turn_seconds_count 7");
}

Test(server_metrics, shows_the_state_of_the_process)
{
	view->draining = true;
	view->last_reload_ok = false;
	view->reloads_ok = 3;
	view->reloads_failed = 2;
	view->started.wall_s = 1600000000;
	expect_line("uturn_build_info{version=\"" UTURN_VERSION "\"} 1");
	expect_line("uturn_engine_info{engine=\"epoll\",reason=\"io_uring: \\\"EPERM\\\"\"} 1");
	expect_line("uturn_shards 2");
	expect_line("uturn_allocations_max 4000");
	expect_line("uturn_ready 1");
	expect_line("uturn_draining 1");
	expect_line("uturn_config_reloads_total{result=\"success\"} 3");
	expect_line("uturn_config_reloads_total{result=\"failure\"} 2");
	expect_line("uturn_config_last_reload_successful 0");
	expect_line("uturn_config_last_reload_timestamp_seconds 1700000000");
	expect_line("process_start_time_seconds 1600000000");
	cr_expect(strstr(written(), "\nprocess_resident_memory_bytes "));
	cr_expect(strstr(written(), "\nprocess_cpu_seconds_total "));
}

Test(server_metrics, shows_what_retires_under_the_name_that_it_has)
{
	fake_add_listeners();
	/* "udp" has another slot now, and "gone" is nobody's name any more. */
	fake_config.retiring_count = 2;
	fake_config.listeners[4] = (struct config_listener){.name = "udp", .slot = 7};
	fake_config.listeners[5] = (struct config_listener){.name = "gone", .protocol = PROTOCOL_TCP, .slot = 8};
	listener_accounts_update(&fake_accounts, &fake_config);
	counter_add(&fake_shards[0].counters.listeners[0].rx_packets, 1);
	counter_add(&fake_shards[1].counters.listeners[7].rx_packets, 20);
	counter_add(&fake_shards[1].counters.listeners[8].rx_packets, 300);
	counter_set(&fake_shards[1].counters.streams.connections[8], 4);
	expect_line("stunner_listener_packets_total{name=\"udp\",direction=\"rx\"} 21");
	expect_line("stunner_listener_packets_total{name=\"gone\",direction=\"rx\"} 300");
	expect_line("stunner_listener_connections{name=\"gone\"} 4");
	expect_line("uturn_connections{listener=\"gone\",protocol=\"TCP\"} 4");
	expect_line("uturn_listeners_retiring 2");
	expect_line("uturn_listeners_waiting 0");
	fake_config.listeners[0].waits[RELAY_IPV4] = fake_config.listeners[1].waits[RELAY_IPV6] = true;
	expect_line("uturn_listeners_waiting 2");
	/* No series twice. */
	const char *first = strstr(written(), "stunner_listener_connections{name=\"udp\"}");
	cr_assert_not_null(first);
	cr_expect_null(strstr(first + 1, "stunner_listener_connections{name=\"udp\"}"));
	fake_config.retiring_count = 1;
	listener_accounts_update(&fake_accounts, &fake_config);
	cr_expect_null(strstr(written(), "gone"));
}

Test(server_metrics, counts_connections_by_listener)
{
	fake_add_listeners();
	counter_add(&fake_shards[0].counters.streams.connections[1], 3);
	counter_add(&fake_shards[1].counters.streams.connections[1], 4);
	counter_add(&fake_shards[0].counters.streams.connections_total[1], 30);
	counter_add(&fake_shards[1].counters.streams.connections[2], 5);
	counter_add(&fake_shards[1].counters.streams.connections_total[3], 6);
	expect_line("uturn_connections{listener=\"tcp\",protocol=\"TCP\"} 7");
	expect_line("uturn_connections{listener=\"tls\",protocol=\"TLS\"} 5");
	expect_line("uturn_connections{listener=\"dtls\",protocol=\"DTLS\"} 0");
	expect_line("uturn_connections_total{listener=\"tcp\",protocol=\"TCP\"} 30");
	expect_line("uturn_connections_total{listener=\"dtls\",protocol=\"DTLS\"} 6");
	expect_line("uturn_connections_max 3000");
	cr_expect_null(strstr(written(), "uturn_connections{listener=\"udp\""));
	/* As stunnerd names and counts them. */
	expect_line("stunner_listener_connections{name=\"udp\"} 2");
	expect_line("stunner_listener_connections_total{name=\"udp\"} 2");
	expect_line("stunner_listener_connections{name=\"tcp\"} 7");
	expect_line("stunner_listener_connections_total{name=\"tcp\"} 30");
	expect_line("stunner_listener_connections{name=\"tls\"} 5");
	expect_line("stunner_listener_connections_total{name=\"dtls\"} 6");
}

Test(server_metrics, counts_connections_of_udp_behind_a_proxy)
{
	fake_config.listeners[0].proxy_protocol = true;
	counter_add(&fake_shards[1].counters.streams.connections[0], 8);
	expect_line("uturn_connections{listener=\"udp\",protocol=\"UDP\"} 8");
	expect_line("stunner_listener_connections{name=\"udp\"} 2");
}

/* Every counter of connections is shown under the name it has elsewhere. */
Test(server_metrics, have_every_counter_of_connections)
{
	struct stream_counters *c = &fake_shards[1].counters.streams;
	char line[128];
#define EXPECT_EACH(counters, first, count, family, label, name_of)                                                                \
	for (int i = first; i < (int)count; i++) {                                                                                 \
		counter_add(&counters[i], 100 + i);                                                                                \
		snprintf(line, sizeof line, family "{" label "=\"%s\"} %d", name_of(i), 100 + i);                                  \
		expect_line(line);                                                                                                 \
	}
	EXPECT_EACH(c->refused, 0, STREAM_REFUSALS, "uturn_connections_refused_total", "reason", stream_refusal_name)
	EXPECT_EACH(c->ended, 0, STREAM_ENDS, "uturn_connections_ended_total", "reason", stream_end_name)
	EXPECT_EACH(c->handshakes_failed, 1, TLS_FAILURES, "uturn_handshakes_failed_total", "reason", tls_failure_name)
	EXPECT_EACH(c->records_refused, 1, RECORD_REASONS, "uturn_records_refused_total", "reason", record_reason_name)
	for (int i = 0; i < TLS_VERSIONS; i++)
		counter_add(&c->handshakes[i], 1 + i);
	expect_line("uturn_handshakes_total{version=\"TLSv1.2\"} 1");
	expect_line("uturn_handshakes_total{version=\"TLSv1.3\"} 2");
	expect_line("uturn_handshakes_total{version=\"DTLSv1.2\"} 3");
	counter_add(&c->handshaking, 11);
	counter_add(&c->resumed, 12);
	counter_add(&c->queue_dropped, 13);
	counter_add(&c->queued_bytes, 14);
	counter_add(&c->cookies_sent, 15);
	counter_add(&c->unknown_datagrams, 16);
	counter_add(&c->proxy_headers_bad, 17);
	expect_line("uturn_handshakes_active 11");
	expect_line("uturn_handshakes_resumed_total 12");
	expect_line("uturn_stream_dropped_packets_total 13");
	expect_line("uturn_stream_queued_bytes 14");
	expect_line("uturn_dtls_cookies_total 15");
	expect_line("uturn_dtls_unknown_total 16");
	expect_line("uturn_proxy_headers_bad_total 17");
}

Test(server_metrics, tell_when_certificates_expire)
{
	char line[128];
	fake_add_listeners();
	snprintf(line, sizeof line, "uturn_certificate_expiry_timestamp_seconds{listener=\"dtls\",name=\"turn.example.com\"} %llu",
		(unsigned long long)tls_context_identity_expiry_s(fake_streams.listeners[3].tls, 0));
	expect_line(line);
	const char *days = strstr(written(), "uturn_certificate_days_to_expiry{listener=\"tls\",name=\"turn.example.com\"} 36");
	cr_expect(days != NULL, "%s", written());
	cr_expect_null(strstr(written(), "uturn_certificate_days_to_expiry{listener=\"tcp\""));
}

/* What Prometheus would refuse the whole scrape for. */
Test(server_metrics, writes_each_family_and_each_series_once)
{
	fake_add_listeners();
	char *text = strdup(written());
	char *lines[1024];
	size_t count = 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (strncmp(line, "# HELP", 6) == 0 || *line == '\0')
			continue;
		cr_assert_lt(count, 1024);
		line[strcspn(line, line[0] == '#' ? "" : "}")] = '\0';
		for (size_t i = 0; i < count; i++)
			cr_expect_str_neq(lines[i], line);
		lines[count++] = line;
	}
	cr_assert_gt(count, 100);
	free(text);
}

Test(server_metrics, show_the_service_that_configurations_come_from)
{
	cr_expect_null(strstr(written(), "uturn_config_source_"));
	view->source = (struct source_view){.id = "ns/gw", .connected = true, .connects = 3, .messages = 7, .refused = 2};
	expect_line("uturn_config_source_connected 1");
	expect_line("uturn_config_source_connects_total 3");
	expect_line("uturn_config_source_messages_total 7");
	expect_line("uturn_config_source_refused_total 2");
}

static char *read_docs(void)
{
	FILE *file = fopen(METRICS_DOCS, "r");
	cr_assert(file, METRICS_DOCS);
	char *text = calloc(1, 1 << 20);
	fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

Test(server_metrics, are_all_in_the_documentation_and_no_others)
{
	char *docs = read_docs();
	view->source.id = "ns/gw";
	char *text = strdup(written());
	unsigned families = 0, documented = 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
		char name[128], type[16], row[160];
		if (sscanf(line, "# TYPE %127s %15s", name, type) != 2)
			continue;
		families++;
		snprintf(row, sizeof row, "\n| `%s` | %s |", name, type);
		cr_expect(strstr(docs, row), "docs/METRICS.md has no row for %s, a %s", name, type);
	}
	static const char *const prefixes[] = {"\n| `stunner_", "\n| `uturn_", "\n| `process_"};
	for (size_t i = 0; i < 3; i++)
		for (const char *row = docs; (row = strstr(row, prefixes[i])) != NULL; row++)
			documented++;
	cr_expect_eq(families, documented, "%u families, %u rows", families, documented);
	free(text);
	free(docs);
}

Test(server_metrics, are_documented_with_every_verdict_and_cause)
{
	char *docs = read_docs();
#define EXPECT_DOCUMENTED(name, label, help) cr_expect(strstr(docs, "`" label "`"), "docs/METRICS.md does not have " label);
	TURN_VERDICTS(EXPECT_DOCUMENTED)
	TURN_AUTH_FAILURES(EXPECT_DOCUMENTED)
#define EXPECT_EACH_DOCUMENTED(first, count, name_of)                                                                              \
	for (int i = first; i < (int)count; i++) {                                                                                 \
		char label[64];                                                                                                    \
		snprintf(label, sizeof label, "`%s`", name_of(i));                                                                 \
		cr_expect(strstr(docs, label), "docs/METRICS.md does not have %s", label);                                         \
	}
	EXPECT_EACH_DOCUMENTED(0, STREAM_REFUSALS, stream_refusal_name)
	EXPECT_EACH_DOCUMENTED(0, STREAM_ENDS, stream_end_name)
	EXPECT_EACH_DOCUMENTED(1, TLS_FAILURES, tls_failure_name)
	EXPECT_EACH_DOCUMENTED(1, RECORD_REASONS, record_reason_name)
	free(docs);
}

Test(server_metrics, are_served_as_prometheus_wants_them)
{
	struct http_reply reply = {.status = 200, .body = out};
	server_metrics_serve(view, &(struct http_request){"/metrics", ""}, &reply);
	cr_assert_eq(reply.status, 200);
	cr_assert_str_eq(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
	cr_assert_gt(evbuffer_get_length(out), 1000);
}
