#include "ops/prometheus.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* "18446744073.709551615" and its NUL */
enum { SECONDS_TEXT_SIZE = 24 };

static const char *const type_names[] = {
	[PROMETHEUS_COUNTER] = "counter",
	[PROMETHEUS_GAUGE] = "gauge",
	[PROMETHEUS_HISTOGRAM] = "histogram",
};

static bool is_name(const char *text)
{
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	return size > 0 && text[size] == '\0' && (text[0] < '0' || text[0] > '9');
}

static void put(struct prometheus *p, const char *text, size_t size)
{
	if (evbuffer_add(p->out, text, size) != 0)
		p->failed = true;
}

static void put_text(struct prometheus *p, const char *text)
{
	put(p, text, strlen(text));
}

/* Runs of plain characters, and an escape for each of `special`. */
static void put_escaped(struct prometheus *p, const char *text, const char *special)
{
	for (;;) {
		size_t plain = strcspn(text, special);
		put(p, text, plain);
		text += plain;
		if (*text == '\0')
			return;
		put(p, (const char[]){'\\', *text == '\n' ? 'n' : *text}, 2);
		text++;
	}
}

/* As few decimals as the value needs: 0.00005, 1, 2.5 */
static const char *format_seconds(uint64_t value_ns, char text[static SECONDS_TEXT_SIZE])
{
	int size = snprintf(text, SECONDS_TEXT_SIZE, "%" PRIu64 ".%09" PRIu64, value_ns / NS_PER_S, value_ns % NS_PER_S);
	while (text[size - 1] == '0')
		size--;
	if (text[size - 1] == '.')
		size--;
	text[size] = '\0';
	return text;
}

void prometheus_init(struct prometheus *p, struct evbuffer *out)
{
	*p = (struct prometheus){.out = out};
}

void prometheus_family(struct prometheus *p, const char *name, enum prometheus_type type, const char *help)
{
	assert(is_name(name));
	p->family = name;
	p->type = type;
	put_text(p, "# HELP ");
	put_text(p, name);
	put_text(p, " ");
	put_escaped(p, help, "\\\n");
	put_text(p, "\n# TYPE ");
	put_text(p, name);
	put_text(p, " ");
	put_text(p, type_names[type]);
	put_text(p, "\n");
}

static void put_sample(
	struct prometheus *p, const char *suffix, const struct prometheus_label *labels, size_t label_count, const char *value)
{
	assert(p->family != NULL);
	put_text(p, p->family);
	put_text(p, suffix);
	for (size_t i = 0; i < label_count; i++) {
		assert(is_name(labels[i].name));
		put_text(p, i == 0 ? "{" : ",");
		put_text(p, labels[i].name);
		put_text(p, "=\"");
		put_escaped(p, labels[i].value, "\\\"\n");
		put_text(p, "\"");
	}
	put_text(p, label_count > 0 ? "} " : " ");
	put_text(p, value);
	put_text(p, "\n");
}

static void put_count(
	struct prometheus *p, const char *suffix, const struct prometheus_label *labels, size_t label_count, uint64_t value)
{
	char text[SECONDS_TEXT_SIZE];
	snprintf(text, sizeof text, "%" PRIu64, value);
	put_sample(p, suffix, labels, label_count, text);
}

void prometheus_value(struct prometheus *p, const struct prometheus_label *labels, size_t label_count, uint64_t value)
{
	assert(p->type != PROMETHEUS_HISTOGRAM);
	put_count(p, "", labels, label_count, value);
}

void prometheus_seconds(struct prometheus *p, const struct prometheus_label *labels, size_t label_count, uint64_t value_ns)
{
	assert(p->type != PROMETHEUS_HISTOGRAM);
	char text[SECONDS_TEXT_SIZE];
	put_sample(p, "", labels, label_count, format_seconds(value_ns, text));
}

void prometheus_single(struct prometheus *p, const char *name, enum prometheus_type type, const char *help, uint64_t value)
{
	prometheus_family(p, name, type, help);
	prometheus_value(p, NULL, 0, value);
}

void prometheus_histogram(struct prometheus *p, const struct prometheus_histogram *histogram)
{
	assert(p->type == PROMETHEUS_HISTOGRAM);
	char text[SECONDS_TEXT_SIZE];
	uint64_t count = 0;
	for (size_t i = 0; i < histogram->bound_count; i++) {
		assert(i == 0 || histogram->bounds_ns[i - 1] < histogram->bounds_ns[i]);
		count += histogram->buckets[i];
		struct prometheus_label bound = {"le", format_seconds(histogram->bounds_ns[i], text)};
		put_count(p, "_bucket", &bound, 1, count);
	}
	count += histogram->buckets[histogram->bound_count];
	put_count(p, "_bucket", &(struct prometheus_label){"le", "+Inf"}, 1, count);
	put_sample(p, "_sum", NULL, 0, format_seconds(histogram->sum_ns, text));
	put_count(p, "_count", NULL, 0, count);
}
