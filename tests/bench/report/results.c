#include "results.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load_plan plan_flood(void)
{
	struct load_plan plan = {
		.name = "up-8x1200",
		.kind = LOAD_FLOOD,
		.flood = {.flows = 20, .size = 1200, .burst = 8, .up = true, .window = 64},
		.seconds = 2,
	};
	CPU_SET(1, &plan.cores);
	return plan;
}

struct load_target target_local(void)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 3478), .pid = 4321};
	CPU_SET(0, &target.cores);
	return target;
}

struct load_result *result_flood(void)
{
	struct load_result *result = calloc(1, sizeof *result);
	cr_assert_not_null(result);
	*result = (struct load_result){
		.seconds = 2,
		.loader_busy = 0.5,
		.workers = 1,
		.allocations = 20,
		.setup_s = 0.25,
		.server_known = true,
		.server = {.at_ns = 2000000000,
			.run_ns = 990000,
			.ksoftirqd_ns = 1500000000,
			.context_switches = 77,
			.threads = 3,
			.rss_bytes = 3 << 20,
			.rss_peak_bytes = 4 << 20,
			.cores = {.user_s = 0.2, .system_s = 0.8, .softirq_s = 0.4, .idle_s = 0.6}},
		.rss_before_bytes = 1 << 20,
		.rss_held_bytes = 2 << 20,
		.system_calls_known = true,
		.system_calls_per_packet = 0.0421,
	};
	tally_reset(&result->up);
	tally_reset(&result->down);
	tally_count(&result->up.sent, 1000);
	tally_count(&result->up.sent_bytes, 1200 * 1000);
	tally_count(&result->up.delivered, 990);
	tally_count(&result->up.delivered_bytes, 1200 * 990);
	tally_count(&result->up.duplicated, 3);
	tally_count(&result->up.reordered, 4);
	tally_count(&result->up.corrupted, 5);
	tally_count(&result->up.stale, 6);
	tally_count(&result->up.unsent, 7);
	for (uint64_t us = 1; us <= 990; us++)
		histogram_record(&result->up.latency, us * 1000);
	histogram_record(&result->up.jitter, 2000);
	return result;
}

struct load_plan plan_replay(void)
{
	static struct script_packet packets[3];
	static const struct script script = {.packets = packets, .packet_count = 3, .length_ns = 1500000000};
	return (struct load_plan){
		.name = "calls", .kind = LOAD_SCRIPT, .script = &script, .captures = "a.pcap + b.pcapng", .calls = 10};
}

json_t *flood_json(void)
{
	struct load_plan plan = plan_flood();
	struct load_target target = target_local();
	struct load_result *result = result_flood();
	json_t *json = document_load(&plan, &target, "coturn", "4.6.1", result);
	cr_assert_not_null(json);
	free(result);
	return json;
}

static void expect_finite(const json_t *value)
{
	const char *key;
	json_t *member;
	cr_assert(!json_is_real(value) || isfinite(json_real_value(value)));
	json_object_foreach((json_t *)(uintptr_t)value, key, member) expect_finite(member);
	for (size_t i = 0; i < json_array_size(value); i++)
		expect_finite(json_array_get(value, i));
}

void expect_valid(const json_t *value)
{
	cr_assert_not_null(value);
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	cr_assert_not_null(text);
	json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(again, "%s", text);
	json_decref(again);
	free(text);
	expect_finite(value);
}

char *printed(const json_t *result)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	cr_assert_not_null(out);
	document_print(result, out);
	fclose(out);
	return text;
}

void folder_create(char folder[static 64])
{
	strcpy(folder, "/tmp/uturn-bench-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

unsigned folder_count(const char *folder)
{
	DIR *dir = opendir(folder);
	cr_assert_not_null(dir);
	unsigned count = 0;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2;
}

void folder_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	cr_assert_not_null(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(folder);
}
