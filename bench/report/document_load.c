#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "document_parts.h"
#include "report/document.h"

static bool is_paced(const struct load_plan *plan)
{
	return plan->kind == LOAD_SCRIPT || plan->flood.rate_per_s > 0;
}

/* "a.pcap + b.pcap" as an array of names. */
static json_t *captures(const char *joined)
{
	static const char between[] = " + ";
	if (joined == NULL)
		return json_null();
	json_t *names = json_array();
	for (const char *name = joined; names != NULL && name != NULL;) {
		const char *end = strstr(name, between);
		char *copy = strndup(name, end == NULL ? strlen(name) : (size_t)(end - name));
		json_t *text = copy == NULL ? NULL : part_text(copy);
		free(copy);
		if (json_array_append_new(names, text) != 0) {
			json_decref(names);
			return NULL;
		}
		name = end == NULL ? NULL : end + strlen(between);
	}
	return names;
}

static json_t *workload_replay(const struct load_plan *plan)
{
	const struct script *script = plan->script;
	return json_pack("{s:o, s:o, s:i, s:o, s:o, s:b}", "name", part_text(plan->name), "captures", captures(plan->captures),
		"calls", (int)plan->calls, "call_seconds",
		script == NULL ? json_null() : part_number((double)script->length_ns / 1e9), "packets_per_call",
		script == NULL ? json_null() : json_integer((json_int_t)script->packet_count), "gso", plan->gso);
}

static json_t *workload_flood(const struct load_plan *plan)
{
	const struct load_flood *flood = &plan->flood;
	json_t *pace = flood->rate_per_s > 0 ? part_number(flood->rate_per_s) : json_integer((json_int_t)flood->window);
	return json_pack("{s:o, s:i, s:i, s:i, s:s, s:b, s:b, s:o}", "name", part_text(plan->name), "flows", (int)flood->flows,
		"size", (int)flood->size, "burst", (int)flood->burst, "direction",
		flood->up && flood->down ? "both"
		: flood->up              ? "up"
					 : "down",
		"indications", flood->indications, "gso", plan->gso, flood->rate_per_s > 0 ? "rate_per_s" : "window", pace);
}

json_t *document_workload(const struct load_plan *plan, const struct load_target *target)
{
	json_t *workload = plan->kind == LOAD_SCRIPT ? workload_replay(plan) : workload_flood(plan);
	return part_transport(workload, target != NULL ? &target->transport : NULL);
}

json_t *document_server(const struct load_target *target, const char *name, const char *version)
{
	char address[ADDR_TEXT_SIZE];
	if (target == NULL)
		return json_pack("{s:o, s:o, s:n, s:n, s:[]}", "name", part_text(name), "version", part_text(version), "address",
			"pid", "cores");
	return json_pack("{s:o, s:o, s:s, s:o, s:o}", "name", part_text(name), "version", part_text(version), "address",
		addr_format(&target->server, address), "pid", target->pid > 0 ? json_integer(target->pid) : json_null(), "cores",
		part_cores(&target->cores));
}

/* null for a direction in which nothing was to be sent. */
static json_t *one_direction(const struct tally *t, double seconds)
{
	if (tally_read(&t->sent) == 0 && tally_read(&t->unsent) == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "packets", part_packets(t), "delivered_per_s",
		part_ratio((double)tally_read(&t->delivered), seconds), "latency", part_distribution(&t->latency), "jitter",
		part_distribution(&t->jitter));
}

static json_t *core_split(const struct core_split *split)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "user_s", part_number(split->user_s), "system_s",
		part_number(split->system_s), "softirq_s", part_number(split->softirq_s), "irq_s", part_number(split->irq_s),
		"idle_s", part_number(split->idle_s), "other_s", part_number(split->other_s));
}

static json_t *processor(const struct load_target *target, const struct load_result *result, uint64_t delivered)
{
	if (!result->server_known)
		return json_null();
	const struct server_sample *server = &result->server;
	/* The samples' own distance, not the window's length: reading them takes time, in which the server runs on. */
	double seconds = server->at_ns > 0 ? (double)server->at_ns / 1e9 : result->seconds;
	int cores = CPU_COUNT(&target->cores);
	bool split_known = cores > 0;
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:i, s:o}", "run_ns_per_packet",
		part_ratio((double)server->run_ns, (double)delivered), "run_s", part_number((double)server->run_ns / 1e9), "busy",
		part_ratio((double)server->run_ns / 1e9, seconds * (split_known ? cores : 1)), "ksoftirqd_s",
		split_known ? part_number((double)server->ksoftirqd_ns / 1e9) : json_null(), "context_switches",
		(json_int_t)server->context_switches, "threads", (int)server->threads, "core_split",
		split_known ? core_split(&server->cores) : json_null());
}

static json_t *memory(const struct load_result *result)
{
	if (!result->server_known)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "rss_before_bytes", part_bytes_known(result->rss_before_bytes),
		"rss_held_bytes", part_bytes_known(result->rss_held_bytes), "rss_bytes", part_bytes_known(result->server.rss_bytes),
		"rss_peak_bytes", part_bytes_known(result->server.rss_peak_bytes), "pss_bytes",
		part_bytes_known(result->server.pss_bytes));
}

static json_t *system_calls(const struct load_result *result)
{
	if (result->system_calls_known)
		return json_pack("{s:o}", "per_packet", part_number(result->system_calls_per_packet));
	const char *why = result->system_calls_why[0] != '\0' ? result->system_calls_why : "they were not counted";
	return json_pack("{s:n, s:o}", "per_packet", "why", part_text(why));
}

static json_t *loader(const struct load_plan *plan, const struct load_result *result)
{
	return json_pack("{s:o, s:i, s:o, s:o}", "busy", part_number(result->loader_busy), "workers", (int)result->workers, "cores",
		part_cores(&plan->cores), "late_share", is_paced(plan) ? part_number(result->lost_schedule) : json_null());
}

/* The same keys in the same order for every load; `both` adds up the directions. */
static json_t *load_pack(const struct load_plan *plan, const struct load_target *target, json_t *server,
	const struct load_result *result, const struct tally *both)
{
	double delivered = (double)tally_read(&both->delivered), seconds = result->seconds;
	json_t *head = json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:i}", "kind",
		plan->kind == LOAD_SCRIPT ? "replay" : "flood", "workload", document_workload(plan, target), "server", server,
		"tls", part_tls(result->tls_version, result->cipher), "seconds", part_number(seconds), "interrupted",
		result->interrupted, "loader_bound", result->loader_bound, "setup_s", part_number(result->setup_s), "allocations",
		(int)result->allocations);
	json_t *rest = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "offered_per_s",
		part_ratio((double)tally_read(&both->sent), seconds), "delivered_per_s", part_ratio(delivered, seconds),
		"goodput_bit_per_s", part_ratio((double)tally_read(&both->delivered_bytes) * 8, seconds), "packets",
		part_packets(both), "loss", part_ratio((double)tally_lost(both), (double)tally_read(&both->sent)), "up",
		one_direction(&result->up, seconds), "down", one_direction(&result->down, seconds), "latency",
		part_distribution(&both->latency), "jitter", part_distribution(&both->jitter), "lateness",
		is_paced(plan) ? part_distribution(&both->lateness) : json_null(), "cpu",
		processor(target, result, tally_read(&both->delivered)), "memory", memory(result), "system_calls",
		system_calls(result), "loader", loader(plan, result));
	if (head == NULL || rest == NULL || json_object_update(head, rest) != 0) {
		json_decref(head);
		head = NULL;
	}
	json_decref(rest);
	return head;
}

json_t *document_load(const struct load_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct load_result *result)
{
	struct tally *both = malloc(sizeof *both);
	if (both == NULL)
		return NULL;
	tally_reset(both);
	tally_add(both, &result->up);
	tally_add(both, &result->down);
	json_t *packed = load_pack(plan, target, document_server(target, server_name, server_version), result, both);
	free(both);
	return packed;
}
