#include "report/document.h"

#include <time.h>

#include "document_parts.h"
#include "measure/machine.h"

static json_t *command(int argc, char **argv)
{
	json_t *words = json_array();
	for (int i = 0; words != NULL && i < argc; i++) {
		if (json_array_append_new(words, part_text(argv[i])) != 0) {
			json_decref(words);
			return NULL;
		}
	}
	return words;
}

static json_t *irq_time_accounting(void)
{
	bool known;
	bool on = server_watch_irq_time_accounting(&known);
	return known ? json_boolean(on) : json_null();
}

static json_t *this_machine(void)
{
	struct machine machine;
	machine_describe(&machine);
	return json_pack("{s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o}", "kernel", part_text(machine.kernel), "distribution",
		part_text(machine.distribution), "processor", part_text(machine.processor), "cores", (int)machine.cores,
		"memory_bytes", part_bytes_known(machine.memory_bytes), "clock_source", part_text(machine.clock_source),
		"load_average", part_number(machine.load_average), "irq_time_accounting", irq_time_accounting());
}

json_t *document_new(int argc, char **argv, uint64_t seed)
{
	char created[32] = "";
	time_t now = time(NULL);
	struct tm utc;
	if (gmtime_r(&now, &utc) != NULL)
		strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_pack("{s:s, s:s, s:o, s:s, s:I, s:o, s:[], s:[]}", "format", DOCUMENT_FORMAT, "created", created, "command",
		command(argc, argv), "version", UTURN_VERSION, "seed", (json_int_t)seed, "machine", this_machine(), "results",
		"comparisons");
}

json_t *document_allocate(const struct allocate_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct allocate_result *result)
{
	bool known = result->server_known;
	json_t *workload = json_pack("{s:s, s:i, s:i, s:b}", "name", "allocate", "held", (int)plan->held, "parallel",
		(int)(plan->parallel > 0 ? plan->parallel : ALLOCATE_PARALLEL_DEFAULT), "channels", plan->channels);
	workload = part_transport(workload, target != NULL ? &target->transport : NULL);
	return json_pack("{s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "kind", "allocate", "workload",
		workload, "server", document_server(target, server_name, server_version), "held", (int)result->held, "seconds",
		part_number(result->seconds), "allocations_per_s", part_number(result->allocations_per_s), "run_ns_per_allocation",
		known ? part_number(result->run_ns_per_allocation) : json_null(), "busy",
		known ? part_number(result->server_busy) : json_null(), "loader_bound", result->loader_bound, "loader",
		json_pack("{s:o, s:i, s:o}", "busy", part_number(result->loader_busy), "workers", 1, "cores",
			part_cores(&plan->cores)),
		"rss_idle_bytes", part_bytes_known(known ? result->rss_idle_bytes : 0), "rss_held_bytes",
		part_bytes_known(known ? result->rss_held_bytes : 0), "rss_after_bytes",
		part_bytes_known(known ? result->rss_after_bytes : 0), "rss_bytes_per_allocation",
		known ? part_number(result->rss_bytes_per_allocation) : json_null());
}

static json_t *one_attack(const struct attack_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct attack_result *result, enum attack_kind kind)
{
	const struct load_result *before = result->kinds[kind].before, *during = result->kinds[kind].during;
	uint64_t lost = during == NULL ? 0 : tally_lost(&during->up) + tally_lost(&during->down);
	json_t *none = json_null();
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "name", attack_kind_name(kind), "attack_packets",
		(json_int_t)result->kinds[kind].attack_packets, "before",
		before == NULL ? none : document_load(&plan->victim, target, server_name, server_version, before), "during",
		during == NULL ? none : document_load(&plan->victim, target, server_name, server_version, during), "lost",
		during == NULL ? none : json_integer((json_int_t)lost), "p99_ratio",
		result->kinds[kind].p99_ratio > 0 ? part_number(result->kinds[kind].p99_ratio) : json_null());
}

json_t *document_attack(const struct attack_plan *plan, const struct load_target *target, const char *server_name,
	const char *server_version, const struct attack_result *result)
{
	json_t *attacks = json_array(), *workload = document_workload(&plan->victim, target);
	json_t *rate = plan->rate_per_s > 0 ? part_number(plan->rate_per_s) : json_null();
	bool good = attacks != NULL && json_object_set_new(workload, "attack_rate_per_s", rate) == 0;
	for (int kind = 0; kind < ATTACK_KINDS && good; kind++)
		if (result->kinds[kind].ran)
			good = json_array_append_new(attacks,
				       one_attack(plan, target, server_name, server_version, result, (enum attack_kind)kind)) == 0;
	if (!good) {
		json_decref(attacks);
		json_decref(workload);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", "attack", "workload", workload, "server",
		document_server(target, server_name, server_version), "attacks", attacks);
}
