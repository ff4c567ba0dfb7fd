#include "document_text.h"

#include <math.h>
#include <stdarg.h>

double number_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

double number_in(const json_t *object, const char *first, const char *key)
{
	return number_at(json_object_get(object, first), key);
}

const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool true_at(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* "-" where there is no number. */
__attribute__((format(printf, 2, 3))) static struct text known(double value, const char *format, ...)
{
	struct text text = {"-"};
	if (!isfinite(value))
		return text;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text.text, sizeof text.text, format, arguments);
	va_end(arguments);
	return text;
}

struct text text_us(double us)
{
	if (us >= 1e6)
		return known(us, "%.2f s", us / 1e6);
	return us >= 1e3 ? known(us, "%.2f ms", us / 1e3) : known(us, "%.1f us", us);
}

struct text text_ns(double ns)
{
	return ns >= 1e4 ? text_us(ns / 1e3) : known(ns, "%.0f ns", ns);
}

struct text text_count(double count)
{
	return known(count, "%.0f", count);
}

/* Small shares keep two digits that say something: of a million packets one may be lost. */
struct text text_percent(double share)
{
	double percent = share * 100;
	if (percent > 0 && percent < 0.1)
		return known(share, "%.2g %%", percent);
	return known(share, percent > 0 && percent < 10 ? "%.2f %%" : "%.0f %%", percent);
}

struct text text_seconds(double seconds)
{
	return known(seconds, "%.2f s", seconds);
}

struct text text_bytes(double bytes)
{
	if (bytes >= 1024 * 1024)
		return known(bytes, "%.2f MiB", bytes / (1024 * 1024));
	return bytes >= 1024 ? known(bytes, "%.2f KiB", bytes / 1024) : known(bytes, "%.0f B", bytes);
}

struct text text_bit_rate(double bit_per_s)
{
	if (bit_per_s >= 1e9)
		return known(bit_per_s, "%.2f Gbit/s", bit_per_s / 1e9);
	return bit_per_s >= 1e6 ? known(bit_per_s, "%.1f Mbit/s", bit_per_s / 1e6)
				: known(bit_per_s, "%.1f kbit/s", bit_per_s / 1e3);
}

struct text text_factor(double factor)
{
	return known(factor, "%.2f", factor);
}

void print_cores(const json_t *cores, FILE *out)
{
	for (size_t i = 0; i < json_array_size(cores); i++)
		fprintf(out, "%s%s",
			i > 0                        ? ", "
			: json_array_size(cores) > 1 ? "cores "
						     : "core ",
			text_count(json_number_value(json_array_get(cores, i))).text);
}

void print_latency_head(FILE *out)
{
	fprintf(out, "  %-10s %12s %12s %12s %12s %12s\n", "", "p50", "p90", "p99", "p99.9", "max");
}

void print_latency(const char *name, const json_t *distribution, FILE *out)
{
	static const char *const keys[] = {"p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"};
	fprintf(out, "  %-10s", name);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		fprintf(out, " %12s", text_us(number_at(distribution, keys[i])).text);
	fputc('\n', out);
}
