#include <math.h>

#include "document_text.h"

void print_tls(const json_t *result, FILE *out)
{
	const json_t *tls = json_object_get(result, "tls");
	const char *version = text_at(tls, "version"), *cipher = text_at(tls, "cipher");
	if (version != NULL && cipher != NULL)
		fprintf(out, "  agreed on  version %s, %s\n", version, cipher);
}

static void print_loader_bound(FILE *out)
{
	fputs("  LOADER-BOUND: the loader's own core was full. This is the loader's limit, not the server's.\n", out);
}

void print_connect(const json_t *result, FILE *out)
{
	print_tls(result, out);
	if (true_at(result, "loader_bound"))
		print_loader_bound(out);
	fprintf(out, "  rate       %s connections/s; %s held\n", text_count(number_at(result, "connections_per_s")).text,
		text_count(number_at(result, "held")).text);
	if (!isfinite(number_at(result, "run_ns_per_connection"))) {
		fputs("  run time   not known, nor memory: the server's process was not given\n", out);
		return;
	}
	fprintf(out, "  run time   %s per connection (schedstat of the server's threads), %s busy\n",
		text_ns(number_at(result, "run_ns_per_connection")).text, text_percent(number_at(result, "busy")).text);
	fprintf(out, "  memory     %s per idle connection; %s resident before, %s with all held, %s after they ended\n",
		text_bytes(number_at(result, "rss_bytes_per_connection")).text,
		text_bytes(number_at(result, "rss_idle_bytes")).text, text_bytes(number_at(result, "rss_held_bytes")).text,
		text_bytes(number_at(result, "rss_after_bytes")).text);
}

static void print_part(const char *name, const json_t *part, FILE *out)
{
	fprintf(out, "  %-10s %s handshakes (%s resumed, %s failed) in %s, %s/s%s\n", name,
		text_count(number_at(part, "done")).text, text_count(number_at(part, "resumed")).text,
		text_count(number_at(part, "failed")).text, text_seconds(number_at(part, "seconds")).text,
		text_count(number_at(part, "per_s")).text, true_at(part, "loader_bound") ? "  LOADER-BOUND" : "");
	if (isfinite(number_at(part, "per_core_s")))
		fprintf(out, "             %s of the server's run time each: %s/s of one core\n",
			text_ns(number_at(part, "run_ns_per_handshake")).text, text_count(number_at(part, "per_core_s")).text);
}

void print_handshakes(const json_t *result, FILE *out)
{
	const json_t *call = json_object_get(result, "call");
	print_tls(result, out);
	print_part("full", json_object_get(result, "full"), out);
	print_part("resumed", json_object_get(result, "resumed"), out);
	if (!json_is_object(call))
		return;
	fprintf(out, "  a call over UDP beside %s full handshakes\n", text_count(number_at(call, "handshakes")).text);
	print_victims(call, out);
}
