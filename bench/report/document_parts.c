#include "document_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *part_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *part_ratio(double amount, double base)
{
	return base > 0 ? part_number(amount / base) : json_null();
}

json_t *part_text(const char *text)
{
	if (text == NULL)
		return json_null();
	json_t *string = json_string(text);
	char *copy = string == NULL ? strdup(text) : NULL;
	if (copy == NULL)
		return string;
	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *part_bytes_known(uint64_t bytes)
{
	return bytes == 0 ? json_null() : json_integer((json_int_t)bytes);
}

json_t *part_cores(const cpu_set_t *cores)
{
	json_t *numbers = json_array();
	for (int core = 0; numbers != NULL && core < CPU_SETSIZE; core++) {
		if (CPU_ISSET(core, cores) && json_array_append_new(numbers, json_integer(core)) != 0) {
			json_decref(numbers);
			return NULL;
		}
	}
	return numbers;
}

static json_t *microseconds(double ns)
{
	return part_number(ns / 1e3);
}

/* The ends are the exact values; between them the histogram's. */
static double percentile_ns(const struct histogram *h, double percent)
{
	if (percent <= 0)
		return (double)tally_read(&h->min_ns);
	return (double)histogram_quantile_ns(h, percent / 100);
}

static json_t *percentiles(const struct histogram *h)
{
	static const double percents[] = {0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100};
	json_t *points = json_array();
	for (size_t i = 0; points != NULL && i < sizeof percents / sizeof percents[0]; i++) {
		json_t *point = json_pack("[oo]", part_number(percents[i]), microseconds(percentile_ns(h, percents[i])));
		if (json_array_append_new(points, point) != 0) {
			json_decref(points);
			return NULL;
		}
	}
	return points;
}

json_t *part_distribution(const struct histogram *h)
{
	if (tally_read(&h->count) == 0)
		return json_pack("{s:i, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:[]}", "count", 0, "mean_us", "min_us", "p50_us",
			"p90_us", "p99_us", "p99_9_us", "max_us", "percentiles");
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)tally_read(&h->count), "mean_us",
		microseconds(histogram_mean_ns(h)), "min_us", microseconds(percentile_ns(h, 0)), "p50_us",
		microseconds(percentile_ns(h, 50)), "p90_us", microseconds(percentile_ns(h, 90)), "p99_us",
		microseconds(percentile_ns(h, 99)), "p99_9_us", microseconds(percentile_ns(h, 99.9)), "max_us",
		microseconds(percentile_ns(h, 100)), "percentiles", percentiles(h));
}

static json_int_t count(const _Atomic uint64_t *counter)
{
	return (json_int_t)tally_read(counter);
}

json_t *part_packets(const struct tally *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent", count(&t->sent), "delivered", count(&t->delivered),
		"lost", (json_int_t)tally_lost(t), "duplicated", count(&t->duplicated), "reordered", count(&t->reordered),
		"corrupted", count(&t->corrupted), "stale", count(&t->stale), "unsent", count(&t->unsent));
}

json_t *part_transport(json_t *workload, const struct transport *transport)
{
	if (workload == NULL || transport == NULL || transport->kind == TRANSPORT_UDP)
		return workload;
	bool good = json_object_set_new(workload, "transport", json_string(transport_name(transport->kind))) == 0;
	if (good && transport->separate_writes && transport_is_stream(transport->kind))
		good = json_object_set_new(workload, "separate_writes", json_true()) == 0;
	if (good)
		return workload;
	json_decref(workload);
	return NULL;
}

json_t *part_tls(const char *version, const char *cipher)
{
	if (cipher[0] == '\0')
		return json_null();
	return json_pack("{s:o, s:o}", "version", part_text(version), "cipher", part_text(cipher));
}
