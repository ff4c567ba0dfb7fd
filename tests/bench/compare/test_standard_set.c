#include "compare/workload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tls_context.h"
#include "compare/server.h"

static const struct workload *full_set(size_t *ret_count)
{
	const struct workload *set = workload_set("full", ret_count);
	cr_assert_not_null(set);
	return set;
}

Test(standard_set, names_are_unique_and_found)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(workload_find(set[i].name), &set[i], "%s", set[i].name);
	cr_expect_null(workload_find("no-such"));
	size_t untouched = 7;
	cr_expect_null(workload_set("no-such", &untouched));
	cr_expect_eq(untouched, 7);
}

Test(standard_set, the_quick_set_begins_the_full_one)
{
	size_t quick, full;
	cr_expect_eq(workload_set("quick", &quick), workload_set("full", &full));
	cr_expect_eq(quick, 26);
	cr_expect_gt(full, quick);
	cr_expect_str_eq(workload_find("tls-handshakes")->name, workload_set("quick", &quick)[quick - 1].name);
}

static void check_flood(const struct workload *w)
{
	cr_expect(w->flood.flows > 0 && w->flood.flows <= 65536 - 49152, "%s: more flows than relay ports", w->name);
	cr_expect(w->flood.size > 0 && w->flood.size <= 1472, "%s: a size that needs fragments", w->name);
	cr_expect(w->flood.burst >= 1 && w->flood.burst <= 64, "%s", w->name);
	cr_expect(w->flood.up || w->flood.down, "%s", w->name);
	cr_expect((w->flood.rate_per_s > 0) != (w->flood.window > 0), "%s: paced or closed loop, not both", w->name);
	cr_expect(w->flood.window == 0 || w->flood.window >= w->flood.burst, "%s: a window that no burst fits into", w->name);
}

Test(standard_set, every_row_says_what_its_kind_needs)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < count; i++) {
		const struct workload *w = &set[i];
		cr_expect(w->title != NULL && w->title[0] != '\0', "%s", w->name);
		if (w->kind == WORKLOAD_FLOOD || w->kind == WORKLOAD_ATTACK)
			check_flood(w);
		if (w->kind == WORKLOAD_ATTACK)
			cr_expect_gt(w->flood.rate_per_s, 0, "a victim is paced");
		if (w->kind == WORKLOAD_REPLAY) {
			cr_expect_not_null(w->capture, "%s", w->name);
			cr_expect(w->calls > 0 || w->load_share > 0, "%s", w->name);
		}
		if (w->kind == WORKLOAD_ALLOCATE || w->kind == WORKLOAD_CONNECT)
			cr_expect_gt(w->held, 0);
		if (w->kind == WORKLOAD_CONNECT)
			cr_expect_neq(w->transport.kind, TRANSPORT_UDP, "%s", w->name);
		if (w->kind == WORKLOAD_HANDSHAKES) {
			check_flood(w);
			cr_expect_gt(w->flood.rate_per_s, 0, "a victim is paced");
			cr_expect(transport_is_secure(w->transport.kind) && w->handshakes > 0, "%s", w->name);
		}
	}
}

static void check_server(const char *workload, const char *name)
{
	struct server_spec spec;
	struct failure failure;
	cr_expect(server_spec_parse(name, &spec, &failure), "%s: %s", workload, failure.text);
	server_spec_done(&spec);
}

Test(standard_set, bars_name_servers_that_exist_and_take_part)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < count; i++) {
		const struct workload *w = &set[i];
		unsigned bars = 0;
		for (; bars < WORKLOAD_BARS_MAX && w->bars[bars].server != NULL; bars++) {
			const struct bar *bar = &w->bars[bars];
			check_server(w->name, bar->server);
			if (bar->reference != NULL)
				check_server(w->name, bar->reference);
			cr_expect(w->left_out == NULL || strcmp(w->left_out, bar->server) != 0, "%s", w->name);
			cr_expect(w->left_out == NULL || bar->reference == NULL || strcmp(w->left_out, bar->reference) != 0, "%s",
				w->name);
			cr_expect_eq(bar->best_quartile, bar->reference != NULL && strcmp(bar->reference, "coturn-multiplex") == 0,
				"%s", w->name);
		}
		cr_expect_gt(bars, 0, "%s: a row without a bar", w->name);
	}
}

static double bound_of(const char *workload, enum bar_figure figure, const char *server, const char *reference)
{
	const struct workload *w = workload_find(workload);
	cr_assert_not_null(w, "%s", workload);
	for (const struct bar *bar = w->bars; bar->server != NULL; bar++)
		if (bar->figure == figure && strcmp(bar->server, server) == 0 &&
			(reference == NULL ? bar->reference == NULL
					   : bar->reference != NULL && strcmp(bar->reference, reference) == 0))
			return bar->bound;
	cr_assert_fail("%s has no such bar", workload);
	return 0;
}

Test(standard_set, the_bars_are_those_that_were_agreed)
{
	static const struct {
		const char *workload;
		double coturn, multiplex;
	} rows[] = {
		{"up-8x1200", 2.0, 1.1},
		{"up-gro8", 5.5, 2.5},
		{"up-gro32", 7.5, 3.5},
		{"down-8x1200", 1.9, 1.9},
		{"down-gro8", 5, 5},
		{"both-8x1200", 1.7, 1.2},
		{"indications-8x1200", 1.8, 1.7},
		{"audio-160", 1.25, 1.2},
		{"flows-4000", 1.45, 1.1},
		{"replay-720p", 1.6, 1.2},
		{"replay-audio", 1.25, 1.1},
		{"replay-datachannel", 3, 1.5},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *name = rows[i].workload;
		cr_expect_eq(bound_of(name, BAR_RUN_TIME, "uturn-io_uring", "coturn"), rows[i].coturn, "%s", name);
		cr_expect_eq(bound_of(name, BAR_RUN_TIME, "uturn-io_uring", "coturn-multiplex"), rows[i].multiplex, "%s", name);
		cr_expect_float_eq(bound_of(name, BAR_RUN_TIME, "uturn-epoll", "uturn-io_uring"), 1 / 1.3, 1e-9, "%s", name);
	}
	cr_expect_eq(bound_of("replay-720p", BAR_LATENCY_P99, "uturn-io_uring", "coturn"), 1.1);
	cr_expect_eq(bound_of("latency-10-1flow", BAR_LATENCY_P50, "uturn-io_uring", "coturn"), 1.1);
	cr_expect_eq(bound_of("latency-10-20flows", BAR_LATENCY_P99, "uturn-io_uring", "coturn"), 1.1);
	cr_expect_eq(bound_of("up-8x1200", BAR_SYSTEM_CALLS, "uturn-io_uring", NULL), 0.05);
	cr_expect_eq(bound_of("allocate", BAR_MEMORY, "uturn-epoll", NULL), 2048);
	cr_expect_eq(bound_of("allocate", BAR_ALLOCATIONS, "uturn-io_uring", "coturn"), 2);
	cr_expect_eq(bound_of("attack", BAR_VICTIM_LOSS, "uturn-epoll", NULL), 0);
	cr_expect_eq(bound_of("attack", BAR_VICTIM_P99, "uturn-io_uring", NULL), 2);
}

Test(standard_set, servers_that_bars_name_serve_the_rows_transport)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < count; i++) {
		for (const struct bar *bar = set[i].bars; bar->server != NULL; bar++) {
			struct server_spec spec;
			struct failure failure;
			cr_assert(server_spec_parse(bar->server, &spec, &failure));
			cr_expect(server_serves(&spec, set[i].transport.kind), "%s: %s", set[i].name, bar->server);
			cr_assert(server_spec_parse(bar->reference != NULL ? bar->reference : "coturn", &spec, &failure));
			cr_expect(server_serves(&spec, set[i].transport.kind), "%s: %s", set[i].name, spec.name);
		}
	}
}

/* What is compared over TLS must be the same work: one version, one cipher. */
Test(standard_set, rows_over_tls_and_dtls_name_one_cipher)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < count; i++) {
		const struct transport *t = &set[i].transport;
		if (!transport_is_secure(t->kind))
			continue;
		cr_assert_not_null(t->cipher, "%s", set[i].name);
		cr_expect_str_eq(t->cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
		cr_expect(t->kind == TRANSPORT_DTLS || t->version == TLS_VERSION_1_2, "%s", set[i].name);
		struct failure failure;
		struct tls_context *context = tls_context_create(t, false, false, &failure);
		cr_expect_not_null(context, "%s: %s", set[i].name, failure.text);
		tls_context_free(context);
	}
}

Test(standard_set, the_bars_over_tcp_tls_and_dtls_are_those_that_were_agreed)
{
	static const struct {
		const char *transport;
		double run_time, memory;
	} rows[] = {{"tcp", 1.5, 2048}, {"tls", 1.3, 12288}, {"dtls", 1.3, 12288}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		static const char *const ways[] = {"up-8x1200", "down-8x1200"};
		char name[64];
		for (int way = 0; way < 2; way++) {
			snprintf(name, sizeof name, "%s-%s", rows[i].transport, ways[way]);
			cr_expect_eq(bound_of(name, BAR_RUN_TIME, "uturn-io_uring", "coturn"), rows[i].run_time, "%s", name);
			cr_expect_float_eq(
				bound_of(name, BAR_RUN_TIME, "uturn-epoll", "uturn-io_uring"), 1 / 1.3, 1e-9, "%s", name);
			cr_expect_eq(workload_find(name)->flood.flows, 20);
			cr_expect_eq(workload_find(name)->flood.burst, 8);
		}
		snprintf(name, sizeof name, "%s-idle", rows[i].transport);
		cr_expect_eq(bound_of(name, BAR_CONNECTION, "uturn-io_uring", NULL), rows[i].memory, "%s", name);
		cr_expect_eq(bound_of(name, BAR_CONNECTION, "uturn-epoll", NULL), rows[i].memory, "%s", name);
		cr_expect_eq(workload_find(name)->held, 5000);
	}
	cr_expect_eq(bound_of("tls-handshakes", BAR_VICTIM_LOSS, "uturn-io_uring", NULL), 0);
	cr_expect_eq(bound_of("tls-handshakes", BAR_VICTIM_LOSS, "uturn-epoll", NULL), 0);
}

/* Rows over UDP run against servers that serve nothing else. */
Test(standard_set, the_first_rows_are_over_udp)
{
	size_t count;
	const struct workload *set = full_set(&count);
	for (size_t i = 0; i < 16; i++)
		cr_expect_eq(set[i].transport.kind, TRANSPORT_UDP, "%s", set[i].name);
	cr_expect_str_eq(set[15].name, "attack");
}

Test(standard_set, defaults_name_servers_that_exist)
{
	static const char *const sets[] = {"quick", "full"};
	for (size_t i = 0; i < 2; i++) {
		struct workload_defaults defaults;
		cr_assert(workload_defaults(sets[i], &defaults));
		cr_expect_geq(defaults.rounds, 5);
		cr_expect_gt(defaults.seconds, 0);
		char *list = strdup(defaults.servers), *rest = list;
		for (char *name; (name = strsep(&rest, ",")) != NULL;)
			check_server(sets[i], name);
		free(list);
	}
	struct workload_defaults defaults;
	cr_expect_not(workload_defaults("other", &defaults));
}
