#include <math.h>

#include "document_text.h"

static void print_packets(const json_t *result, FILE *out)
{
	const json_t *packets = json_object_get(result, "packets");
	fprintf(out, "  sent       %12s packets in %s, %s/s\n", text_count(number_at(packets, "sent")).text,
		text_seconds(number_at(result, "seconds")).text, text_count(number_at(result, "offered_per_s")).text);
	fprintf(out, "  delivered  %12s packets, %s/s, %s of payload\n", text_count(number_at(packets, "delivered")).text,
		text_count(number_at(result, "delivered_per_s")).text, text_bit_rate(number_at(result, "goodput_bit_per_s")).text);
	fprintf(out, "  lost       %12s packets, %s\n", text_count(number_at(packets, "lost")).text,
		text_percent(number_at(result, "loss")).text);
	fprintf(out, "  beside     %12s duplicated, %s reordered, %s corrupted, %s stale\n",
		text_count(number_at(packets, "duplicated")).text, text_count(number_at(packets, "reordered")).text,
		text_count(number_at(packets, "corrupted")).text, text_count(number_at(packets, "stale")).text);
	if (number_at(packets, "unsent") > 0)
		fprintf(out, "  not sent   %12s packets: the loader's own sockets were full, or it was behind its schedule\n",
			text_count(number_at(packets, "unsent")).text);
}

static void print_latencies(const json_t *result, FILE *out)
{
	const json_t *up = json_object_get(result, "up"), *down = json_object_get(result, "down");
	print_latency_head(out);
	print_latency("latency", json_object_get(result, "latency"), out);
	if (json_is_object(up) && json_is_object(down)) {
		print_latency("  up", json_object_get(up, "latency"), out);
		print_latency("  down", json_object_get(down, "latency"), out);
	}
	print_latency("jitter", json_object_get(result, "jitter"), out);
	if (json_is_object(json_object_get(result, "lateness")))
		print_latency("sent late", json_object_get(result, "lateness"), out);
}

static void print_split(const json_t *result, FILE *out)
{
	static const struct {
		const char *key, *name;
	} parts[] = {
		{"user_s", "user"},
		{"system_s", "system"},
		{"softirq_s", "softirq"},
		{"irq_s", "irq"},
		{"idle_s", "idle"},
		{"other_s", "other"},
	};
	const json_t *split = json_object_get(json_object_get(result, "cpu"), "core_split");
	double sum_s = 0;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		sum_s += number_at(split, parts[i].key);
	if (!(sum_s > 0))
		return;
	fputs("  cores      ", out);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		fprintf(out, "%s%s %s", i > 0 ? ", " : "", parts[i].name,
			text_percent(number_at(split, parts[i].key) / sum_s).text);
	fputs("\n             /proc/stat of the server's cores: sampled by ticks on many kernels, misleading at partial load\n",
		out);
}

static void print_processor(const json_t *result, FILE *out)
{
	const json_t *cpu = json_object_get(result, "cpu");
	if (!json_is_object(cpu)) {
		fputs("  run time   not known: the server's process was not given\n", out);
		return;
	}
	fprintf(out, "  run time   %s per delivered packet; %s in all, %s busy; %s threads, %s context switches\n",
		text_ns(number_at(cpu, "run_ns_per_packet")).text, text_seconds(number_at(cpu, "run_s")).text,
		text_percent(number_at(cpu, "busy")).text, text_count(number_at(cpu, "threads")).text,
		text_count(number_at(cpu, "context_switches")).text);
	fputs("             schedstat of the server's threads: exact; without the kernel's IRQ_TIME_ACCOUNTING it holds their "
	      "softirq work\n",
		out);
	if (isfinite(number_at(cpu, "ksoftirqd_s")))
		fprintf(out, "  ksoftirqd  %s on the server's cores, beside the run time; schedstat, too\n",
			text_seconds(number_at(cpu, "ksoftirqd_s")).text);
	print_split(result, out);
}

static void print_memory(const json_t *result, FILE *out)
{
	const json_t *memory = json_object_get(result, "memory");
	if (!json_is_object(memory))
		return;
	fprintf(out, "  memory     %s resident, %s at its peak; %s before the allocations, %s with them; %s proportional (Pss)\n",
		text_bytes(number_at(memory, "rss_bytes")).text, text_bytes(number_at(memory, "rss_peak_bytes")).text,
		text_bytes(number_at(memory, "rss_before_bytes")).text, text_bytes(number_at(memory, "rss_held_bytes")).text,
		text_bytes(number_at(memory, "pss_bytes")).text);
}

static void print_system_calls(const json_t *result, FILE *out)
{
	const json_t *calls = json_object_get(result, "system_calls");
	double per_packet = number_at(calls, "per_packet");
	const char *why = text_at(calls, "why");
	if (isfinite(per_packet))
		fprintf(out, "  sys calls  %.*f per delivered packet\n", per_packet < 1 ? 4 : 2, per_packet);
	else if (json_is_object(json_object_get(result, "cpu")))
		fprintf(out, "  sys calls  not known: %s\n", why != NULL ? why : "-");
}

static void print_loader(const json_t *result, FILE *out)
{
	const json_t *loader = json_object_get(result, "loader"), *cores = json_object_get(loader, "cores");
	double workers = number_at(loader, "workers");
	fprintf(out, "  loader     %s %s", text_count(workers).text, workers > 1 ? "workers" : "worker");
	if (json_array_size(cores) > 0)
		fputs(" on ", out);
	print_cores(cores, out);
	fprintf(out, ", the busiest %s busy", text_percent(number_at(loader, "busy")).text);
	if (isfinite(number_at(loader, "late_share")))
		fprintf(out, "; %s sent more than 1 ms late", text_percent(number_at(loader, "late_share")).text);
	fputc('\n', out);
}

static void print_loader_bound(const json_t *result, FILE *out)
{
	bool paced = isfinite(number_in(result, "loader", "late_share"));
	fprintf(out, "  LOADER-BOUND: the loader %s. This is the loader's limit, not the server's.\n",
		paced ? "did not keep its schedule" : "had its own cores full");
}

void print_load(const json_t *result, FILE *out)
{
	if (true_at(result, "interrupted"))
		fputs("  INTERRUPTED: this is what was measured until then.\n", out);
	if (true_at(result, "loader_bound"))
		print_loader_bound(result, out);
	print_tls(result, out);
	print_packets(result, out);
	print_latencies(result, out);
	print_processor(result, out);
	print_memory(result, out);
	print_system_calls(result, out);
	print_loader(result, out);
}
