/*
 * prometheus - writes the text exposition format, version 0.0.4, family by family.
 *
 *	prometheus_family(&p, "uturn_packets_total", PROMETHEUS_COUNTER, "Packets by what became of them.");
 *	prometheus_value(&p, &(struct prometheus_label){"verdict", "to_peer"}, 1, 42);
 *
 * Numbers are integers and nanoseconds all the way, so no digit is lost and no locale can change the decimal point.
 * A failure (no memory) sticks: check `failed` once at the end.
 */
#ifndef UTURN_OPS_PROMETHEUS_H
#define UTURN_OPS_PROMETHEUS_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

struct prometheus_label {
	const char *name;  /* [a-zA-Z_][a-zA-Z0-9_]* */
	const char *value; /* any UTF-8; escaped here */
};

struct prometheus {
	struct evbuffer *out;
	const char *family;
	enum prometheus_type type;
	bool failed;
};

void prometheus_init(struct prometheus *p, struct evbuffer *out);

/* HELP and TYPE; the values that follow belong to it. `name` is borrowed until the next family. */
void prometheus_family(struct prometheus *p, const char *name, enum prometheus_type type, const char *help);

/* One value of a counter or a gauge. `labels` may be NULL when there are none. */
void prometheus_value(struct prometheus *p, const struct prometheus_label *labels, size_t label_count, uint64_t value);
/* The same for a time, written in seconds. */
void prometheus_seconds(struct prometheus *p, const struct prometheus_label *labels, size_t label_count, uint64_t value_ns);

/* A family with one value and no labels. */
void prometheus_single(struct prometheus *p, const char *name, enum prometheus_type type, const char *help, uint64_t value);

/*
 * A histogram of times. `buckets` has bound_count + 1 counts, each of what lies above the bound before it and not above its own;
 * the last is everything beyond. The cumulative sums that the format wants are made here.
 */
struct prometheus_histogram {
	const uint64_t *bounds_ns; /* rising */
	const uint64_t *buckets;
	size_t bound_count;
	uint64_t sum_ns;
};
void prometheus_histogram(struct prometheus *p, const struct prometheus_histogram *histogram);

#endif
