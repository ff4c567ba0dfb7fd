#include <math.h>
#include <string.h>

#include "document_text.h"
#include "report/document.h"

/* find-max has neither calls nor a rate here: it says them of each step. */
static void print_flood(const json_t *workload, FILE *out)
{
	const char *direction = text_at(workload, "direction");
	fprintf(out, "%s, %s flows, bursts of %s x %s B in %s%s", direction != NULL ? direction : "-",
		text_count(number_at(workload, "flows")).text, text_count(number_at(workload, "burst")).text,
		text_count(number_at(workload, "size")).text, true_at(workload, "indications") ? "indications" : "ChannelData",
		true_at(workload, "gso") ? ", sent with UDP_SEGMENT" : "");
	if (isfinite(number_at(workload, "rate_per_s")))
		fprintf(out, ", paced at %s packets/s", text_count(number_at(workload, "rate_per_s")).text);
	else if (isfinite(number_at(workload, "window")))
		fprintf(out, ", closed loop of %s under way per stream", text_count(number_at(workload, "window")).text);
}

static void print_replay(const json_t *workload, FILE *out)
{
	if (isfinite(number_at(workload, "calls")))
		fprintf(out, "%s calls of ", text_count(number_at(workload, "calls")).text);
	fprintf(out, "%s packets in %s%s", text_count(number_at(workload, "packets_per_call")).text,
		text_seconds(number_at(workload, "call_seconds")).text, true_at(workload, "gso") ? ", sent with UDP_SEGMENT" : "");
}

static void print_connections(const json_t *workload, FILE *out)
{
	if (json_object_get(workload, "count") == NULL) {
		fprintf(out, "%s idle connections, %s at a time", text_count(number_at(workload, "held")).text,
			text_count(number_at(workload, "parallel")).text);
		return;
	}
	fprintf(out, "up to %s of each kind, %s at a time", text_count(number_at(workload, "count")).text,
		text_count(number_at(workload, "parallel")).text);
	if (isfinite(number_at(workload, "handshakes_per_s")))
		fprintf(out, ", %s/s", text_count(number_at(workload, "handshakes_per_s")).text);
}

static void print_transport(const json_t *workload, FILE *out)
{
	static const struct {
		const char *name, *words;
	} transports[] = {{"tcp", "TCP"}, {"tls", "TLS"}, {"dtls", "DTLS"}};
	const char *name = text_at(workload, "transport");
	for (size_t i = 0; name != NULL && i < sizeof transports / sizeof transports[0]; i++)
		if (strcmp(transports[i].name, name) == 0)
			fprintf(out, ", over %s", transports[i].words);
	if (true_at(workload, "separate_writes"))
		fputs(", each frame in a send of its own", out);
}

static void print_workload(const json_t *workload, FILE *out)
{
	if (json_object_get(workload, "count") != NULL ||
		(json_object_get(workload, "held") != NULL && json_object_get(workload, "channels") == NULL))
		print_connections(workload, out);
	else if (json_object_get(workload, "held") != NULL)
		fprintf(out, "%s allocations%s, %s at a time", text_count(number_at(workload, "held")).text,
			true_at(workload, "channels") ? " with a channel each" : "",
			text_count(number_at(workload, "parallel")).text);
	else if (json_object_get(workload, "packets_per_call") != NULL)
		print_replay(workload, out);
	else
		print_flood(workload, out);
}

static void print_server(const json_t *server, FILE *out)
{
	const char *name = text_at(server, "name"), *version = text_at(server, "version"), *address = text_at(server, "address");
	if (name == NULL && address == NULL)
		return;
	fprintf(out, "  against    %s", name != NULL ? name : address);
	if (version != NULL)
		fprintf(out, " (%s)", version);
	if (name != NULL && address != NULL)
		fprintf(out, " at %s", address);
	if (isfinite(number_at(server, "pid")))
		fprintf(out, ", process %s", text_count(number_at(server, "pid")).text);
	const json_t *cores = json_object_get(server, "cores");
	if (json_array_size(cores) > 0) {
		fputs(", ", out);
		print_cores(cores, out);
	}
	fputc('\n', out);
}

void print_head(const json_t *result, FILE *out)
{
	const json_t *workload = json_object_get(result, "workload");
	const char *kind = text_at(result, "kind"), *name = text_at(workload, "name");
	fputs(kind != NULL ? kind : "-", out);
	if (name != NULL && (kind == NULL || strcmp(name, kind) != 0))
		fprintf(out, " %s", name);
	fputs(": ", out);
	print_workload(workload, out);
	print_transport(workload, out);
	fputc('\n', out);
	print_server(json_object_get(result, "server"), out);
}

void document_print(const json_t *result, FILE *out)
{
	static const struct {
		const char *kind;
		void (*print)(const json_t *result, FILE *out);
	} kinds[] = {
		{"replay", print_load},
		{"flood", print_load},
		{"allocate", print_allocate},
		{"attack", print_attack},
		{"connect", print_connect},
		{"handshakes", print_handshakes},
		{"find-max", print_find_max},
	};
	print_head(result, out);
	const char *kind = text_at(result, "kind");
	for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			kinds[i].print(result, out);
	fputc('\n', out);
}
