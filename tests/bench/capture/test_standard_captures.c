/* The captures that the repository brings, against what was counted when they were made, by other means. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "capture_rig.h"

struct expected {
	const char *name;
	uint64_t packets, stun, payloads[CAPTURE_PAYLOADS], up, down, indications_up, indications_down;
	double seconds, up_kbit_per_s, follows_1ms, follows_1ms_same_size;
};

static void expect_near(double value, double expected, double tolerance, const char *what)
{
	cr_expect(fabs(value - expected) <= tolerance, "%s: %g, not %g", what, value, expected);
}

/* Rates and shares were counted over whole 5-tuples, with TURN framing: near, not equal. */
static void expect_streams(const struct capture *c, const struct expected *e)
{
	struct capture_stream sums[DIRECTIONS] = {0};
	double follows = 0, same = 0;
	for (size_t i = 0; i < c->script.path_count; i++) {
		const struct capture_path *p = &c->paths[i];
		cr_expect_eq(p->channel, 0x4000);
		cr_expect_eq(p->server.port, 3478);
		for (int d = UP; d < DIRECTIONS; d++) {
			sums[d].packets += p->streams[d].packets;
			sums[d].payload_bytes += p->streams[d].payload_bytes;
			sums[d].indications += p->streams[d].indications;
			for (int k = 0; k < CAPTURE_PAYLOADS; k++)
				sums[UP].payloads[k] += p->streams[d].payloads[k];
		}
		follows += p->streams[UP].follows_1ms * (double)p->streams[UP].packets;
		same += p->streams[UP].follows_1ms_same_size * (double)p->streams[UP].packets;
	}
	cr_expect_eq(sums[UP].packets, e->up);
	cr_expect_eq(sums[DOWN].packets, e->down);
	cr_expect_eq(sums[UP].indications, e->indications_up);
	cr_expect_eq(sums[DOWN].indications, e->indications_down);
	for (int k = 0; k < CAPTURE_PAYLOADS; k++)
		cr_expect_eq(sums[UP].payloads[k], e->payloads[k], "payload kind %d: %lu", k, sums[UP].payloads[k]);
	expect_near((double)sums[UP].payload_bytes * 8 / 1000 / c->seconds, e->up_kbit_per_s, e->up_kbit_per_s * 0.06, "kbit/s");
	expect_near(follows / (double)e->up, e->follows_1ms, 0.003, "within 1 ms");
	expect_near(same / (double)e->up, e->follows_1ms_same_size, 0.002, "of the same size");
}

static void expect_capture(const struct expected *e)
{
	char path[300];
	struct capture c;
	struct failure failure;
	snprintf(path, sizeof path, "%s/%s", CAPTURES_DIR, e->name);
	cr_assert(capture_read(path, 0, &c, &failure), "%s", failure.text);
	cr_expect_eq(c.packets_read, e->packets);
	cr_expect_eq(c.stun_packets, e->stun);
	cr_expect_eq(c.media_packets, e->packets - e->stun);
	cr_expect_eq(c.left_out, 0);
	cr_expect_eq(c.estimated, 0);
	cr_expect_eq(c.script.path_count, 2);
	cr_expect_eq(c.script.allocations, 2);
	expect_near(c.seconds, e->seconds, 0.02, "seconds");
	expect_streams(&c, e);
	capture_done(&c);
}

Test(standard_captures, video_call)
{
	expect_capture(&(struct expected){
		.name = "chromium-720p-call.pcap",
		.packets = 20746,
		.stun = 28,
		.payloads = {[PAYLOAD_RTP] = 18956, [PAYLOAD_RTCP] = 1658, [PAYLOAD_STUN] = 88, [PAYLOAD_DTLS] = 16},
		.up = 10359,
		.down = 10359,
		.indications_up = 8,
		.indications_down = 6,
		.seconds = 19.02,
		.up_kbit_per_s = 3463,
		.follows_1ms = 0.654,
		.follows_1ms_same_size = 0.525,
	});
}

Test(standard_captures, audio_call)
{
	expect_capture(&(struct expected){
		.name = "chromium-audio-call.pcap",
		.packets = 5075,
		.stun = 32,
		.payloads = {[PAYLOAD_RTP] = 4030, [PAYLOAD_RTCP] = 908, [PAYLOAD_STUN] = 89, [PAYLOAD_DTLS] = 16},
		.up = 2522,
		.down = 2521,
		.indications_up = 11,
		.indications_down = 8,
		.seconds = 20.07,
		.up_kbit_per_s = 95,
		.follows_1ms = 0.035,
		.follows_1ms_same_size = 0,
	});
}

Test(standard_captures, data_channel)
{
	expect_capture(&(struct expected){
		.name = "chromium-datachannel.pcap",
		.packets = 20000,
		.stun = 20,
		.payloads = {[PAYLOAD_STUN] = 23, [PAYLOAD_DTLS] = 19957},
		.up = 10143,
		.down = 9837,
		.indications_up = 8,
		.indications_down = 6,
		.seconds = 1.163,
		.up_kbit_per_s = 45840,
		.follows_1ms = 0.967,
		.follows_1ms_same_size = 0.643,
	});
}

Test(standard_captures, print_says_what_is_in_it)
{
	char path[300], *text = NULL;
	size_t size = 0;
	struct capture c;
	struct failure failure;
	snprintf(path, sizeof path, "%s/chromium-audio-call.pcap", CAPTURES_DIR);
	cr_assert(capture_read(path, 0, &c, &failure), "%s", failure.text);
	FILE *out = open_memstream(&text, &size);
	cr_assert(out != NULL);
	capture_print(&c, "call.pcap", out);
	fclose(out);
	static const char *const wanted[] = {
		"call.pcap: 20.072 s of media\n",
		"   1  198.51.100.2:39852  198.51.100.1:3478  ",
		"read      5075 packets: 5043 media, 32 STUN between client and server (not replayed), 0 left out\n",
		"replayed  5043 packets on 2 paths of 2 allocations, repeated every 20.076022 s; ",
	};
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		cr_expect(strstr(text, wanted[i]) != NULL, "not there: %s", wanted[i]);
	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
		cr_expect(strchr(line, '\n') - line <= 132, "a line of %td columns", strchr(line, '\n') - line);
	free(text);
	capture_done(&c);
}
