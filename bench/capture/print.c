#include <inttypes.h>
#include <string.h>

#include "capture/capture.h"
#include "capture/read.h"
#include "capture/streams.h"

enum { ENDPOINTS = 3, REASONS_TEXT_SIZE = 600 };

struct columns {
	int widths[ENDPOINTS];
};

static const char *endpoint_format(const struct capture_path *p, int which, char text[static ADDR_TEXT_SIZE])
{
	const struct addr *endpoints[ENDPOINTS] = {&p->client, &p->server, &p->peer};
	if (endpoints[which]->family != ADDR_NONE)
		return addr_format(endpoints[which], text);
	return which == 1 ? "none" : "unknown";
}

static struct columns columns_of(const struct capture *c)
{
	static const char *const titles[ENDPOINTS] = {"client", "server", "peer"};
	char text[ADDR_TEXT_SIZE];
	struct columns columns;
	for (int i = 0; i < ENDPOINTS; i++) {
		columns.widths[i] = (int)strlen(titles[i]);
		for (size_t path = 0; path < c->script.path_count; path++) {
			int width = (int)strlen(endpoint_format(&c->paths[path], i, text));
			columns.widths[i] = width > columns.widths[i] ? width : columns.widths[i];
		}
	}
	return columns;
}

static void print_paths(const struct capture *c, FILE *out)
{
	struct columns columns = columns_of(c);
	const int *widths = columns.widths;
	fprintf(out, "\npath  %-*s  %-*s  %-*s  channel\n", widths[0], "client", widths[1], "server", widths[2], "peer");
	for (size_t i = 0; i < c->script.path_count; i++) {
		const struct capture_path *p = &c->paths[i];
		char texts[ENDPOINTS][ADDR_TEXT_SIZE], channel[16];
		snprintf(channel, sizeof channel, "0x%04x", p->channel);
		const char *which = !c->script.paths[i].channel     ? "none: indications"
				    : p->server.family == ADDR_NONE ? "none: plain UDP"
				    : p->channel == 0               ? "unknown"
								    : channel;
		fprintf(out, "%4zu  %-*s  %-*s  %-*s  %s\n", i + 1, widths[0], endpoint_format(p, 0, texts[0]), widths[1],
			endpoint_format(p, 1, texts[1]), widths[2], endpoint_format(p, 2, texts[2]), which);
	}
}

static void print_amounts(FILE *out, const struct capture_stream *s, double seconds)
{
	fprintf(out, "%8" PRIu64 " %9.1f %9.1f ", s->packets, (double)s->packets / seconds,
		(double)s->payload_bytes * 8 / 1000 / seconds);
}

static void print_payloads(FILE *out, const struct capture_stream *s)
{
	static const enum capture_payload order[] = {PAYLOAD_RTP, PAYLOAD_RTCP, PAYLOAD_STUN, PAYLOAD_DTLS, PAYLOAD_OTHER};
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		fprintf(out, " %6" PRIu64, s->payloads[order[i]]);
	fprintf(out, " %11" PRIu64 "\n", s->indications);
}

static double mean_of(const struct capture_stream *s)
{
	return s->packets > 0 ? (double)s->payload_bytes / (double)s->packets : 0;
}

static void add_stream(struct capture_stream *sum, const struct capture_stream *s)
{
	sum->packets += s->packets;
	sum->payload_bytes += s->payload_bytes;
	sum->indications += s->indications;
	for (int i = 0; i < CAPTURE_PAYLOADS; i++)
		sum->payloads[i] += s->payloads[i];
	sum->size_max = s->size_max > sum->size_max ? s->size_max : sum->size_max;
}

static void print_streams(const struct capture *c, FILE *out)
{
	static const char *const names[DIRECTIONS] = {[UP] = "up", [DOWN] = "down"};
	double seconds = (double)c->script.length_ns / 1e9;
	struct capture_stream sums[DIRECTIONS] = {0};
	fprintf(out, "\npath        packets packets/s    kbit/s    p50   p90   max   mean    1 ms  alike    RTP   RTCP   STUN   "
		     "DTLS  other "
		     "indications\n");
	for (size_t i = 0; i < c->script.path_count; i++) {
		for (int direction = UP; direction < DIRECTIONS; direction++) {
			const struct capture_stream *s = &c->paths[i].streams[direction];
			add_stream(&sums[direction], s);
			if (s->packets == 0)
				continue;
			fprintf(out, "%4zu  %-4s ", i + 1, names[direction]);
			print_amounts(out, s, seconds);
			fprintf(out, "%6u %5u %5u %6.1f %5.1f %% %4.1f %%", s->size_p50, s->size_p90, s->size_max, mean_of(s),
				s->follows_1ms * 100, s->follows_1ms_same_size * 100);
			print_payloads(out, s);
		}
	}
	for (int direction = UP; direction < DIRECTIONS; direction++) {
		fprintf(out, " all  %-4s ", names[direction]);
		print_amounts(out, &sums[direction], seconds);
		fprintf(out, "%6s %5s %5u %6.1f %7s %6s", "", "", sums[direction].size_max, mean_of(&sums[direction]), "", "");
		print_payloads(out, &sums[direction]);
	}
	fprintf(out, "sizes are payload bytes without TURN framing; \"1 ms\": share of packets within 1 ms after the one before, "
		     "\"alike\": and of its "
		     "size\n");
}

static void print_totals(const struct capture *c, FILE *out)
{
	char reasons[REASONS_TEXT_SIZE];
	fprintf(out,
		"\nread      %" PRIu64 " packets: %" PRIu64 " media, %" PRIu64
		" STUN between client and server (not replayed), %" PRIu64 " left out\n",
		c->packets_read, c->media_packets, c->stun_packets, c->left_out);
	if (c->left_out > 0)
		fprintf(out, "left out  %s\n", capture_reasons_format(c->reasons, reasons, sizeof reasons));
	if (c->aggregates > 0)
		fprintf(out,
			"aggregate %" PRIu64
			" packets, of segmentation or receive offload; their datagrams are counted one by one\n",
			c->aggregates);
	if (c->truncated > 0)
		fprintf(out, "truncated %" PRIu64 " packets; sizes are those of the headers\n", c->truncated);
	if (c->estimated > 0)
		fprintf(out,
			"estimated %" PRIu64
			" sizes: the framing was cut; they follow from the UDP length and may contain padding\n",
			c->estimated);
	if (c->disordered > 0)
		fprintf(out, "disorder  %" PRIu64 " time stamps are earlier than the one before; replayed in the order of time\n",
			c->disordered);
	fprintf(out, "replayed  %zu packets on %zu %s of %u %s, repeated every %.6f s; longest gap %.3f s\n",
		c->script.packet_count, c->script.path_count, c->script.path_count == 1 ? "path" : "paths", c->script.allocations,
		c->script.allocations == 1 ? "allocation" : "allocations", (double)c->script.length_ns / 1e9,
		(double)streams_gap_max_ns(&c->script) / 1e9);
}

void capture_print(const struct capture *c, const char *path, FILE *out)
{
	fprintf(out, "%s: %.3f s of media\n", path, c->seconds);
	print_paths(c, out);
	print_streams(c, out);
	print_totals(c, out);
}
