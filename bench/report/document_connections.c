#include "document_parts.h"
#include "report/document.h"

json_t *document_connect(const struct connect_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct connect_result *result)
{
	bool known = result->server_known;
	json_t *workload = json_pack("{s:s, s:i, s:i}", "name", "connect", "held", (int)plan->held, "parallel",
		(int)(plan->parallel > 0 ? plan->parallel : CONNECT_PARALLEL_DEFAULT));
	workload = part_transport(workload, target != NULL ? &target->transport : NULL);
	return json_pack("{s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "kind", "connect",
		"workload", workload, "server", document_server(target, server_name, server_version), "tls",
		part_tls(result->tls_version, result->cipher), "held", (int)result->held, "seconds", part_number(result->seconds),
		"connections_per_s", part_number(result->connections_per_s), "run_ns_per_connection",
		known ? part_number(result->run_ns_per_connection) : json_null(), "busy",
		known ? part_number(result->server_busy) : json_null(), "loader_bound", result->loader_bound, "loader",
		json_pack("{s:o, s:i, s:o}", "busy", part_number(result->loader_busy), "workers", 1, "cores",
			part_cores(&plan->cores)),
		"rss_idle_bytes", part_bytes_known(known ? result->rss_idle_bytes : 0), "rss_held_bytes",
		part_bytes_known(known ? result->rss_held_bytes : 0), "rss_after_bytes",
		part_bytes_known(known ? result->rss_after_bytes : 0), "rss_bytes_per_connection",
		known ? part_number(result->rss_bytes_per_connection) : json_null());
}

static json_t *one_part(const struct handshakes_part *part, bool known)
{
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "done", (int)part->done, "failed", (int)part->failed,
		"resumed", (int)part->resumed, "seconds", part_number(part->seconds), "per_s", part_number(part->per_s),
		"run_ns_per_handshake", known ? part_number(part->run_ns_per_handshake) : json_null(), "per_core_s",
		known ? part_number(part->per_core_s) : json_null(), "busy", known ? part_number(part->server_busy) : json_null(),
		"loader_busy", part_number(part->loader_busy), "loader_bound", part->loader_bound);
}

/* What the call over UDP suffered. */
static json_t *beside(const struct handshakes_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct handshakes_result *result)
{
	if (result->before == NULL || result->during == NULL)
		return json_null();
	struct load_target udp = *target;
	udp.server = plan->victim_server;
	udp.transport = (struct transport){.kind = TRANSPORT_UDP};
	uint64_t lost = tally_lost(&result->during->up) + tally_lost(&result->during->down);
	return json_pack("{s:I, s:o, s:o, s:I, s:o}", "handshakes", (json_int_t)result->beside, "before",
		document_load(&plan->victim, &udp, server_name, server_version, result->before), "during",
		document_load(&plan->victim, &udp, server_name, server_version, result->during), "lost", (json_int_t)lost,
		"p99_ratio", result->p99_ratio > 0 ? part_number(result->p99_ratio) : json_null());
}

json_t *document_handshakes(const struct handshakes_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct handshakes_result *result)
{
	json_t *workload = json_pack("{s:s, s:i, s:i, s:o, s:o}", "name", "handshakes", "count", (int)plan->count, "parallel",
		(int)(plan->parallel > 0 ? plan->parallel : HANDSHAKES_PARALLEL_DEFAULT), "handshakes_per_s",
		plan->rate_per_s > 0 ? part_number(plan->rate_per_s) : json_null(), "call",
		plan->has_victim ? document_workload(&plan->victim, NULL) : json_null());
	workload = part_transport(workload, target != NULL ? &target->transport : NULL);
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "kind", "handshakes", "workload", workload, "server",
		document_server(target, server_name, server_version), "tls", part_tls(result->tls_version, result->cipher),
		"loader_bound", result->loader_bound, "full", one_part(&result->full, result->server_known), "resumed",
		one_part(&result->resumed, result->server_known), "call",
		beside(plan, target, server_name, server_version, result));
}
