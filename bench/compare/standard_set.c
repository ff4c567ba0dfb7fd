/* The standard set: what is measured, and the bars that the relay is held against. */
#include "compare/workload.h"

#define FLOOD(...) .kind = WORKLOAD_FLOOD, .flood = {__VA_ARGS__}
#define CLOSED_LOOP .window = 64

/* clang-format off */
/* The relay's default engine against both kinds of coturn, and its other engine within 1.3 times the default one. */
#define RUN_TIME(coturn, multiplex) AGAINST_COTURN(coturn), AGAINST_MULTIPLEX(multiplex), ENGINES
#define AGAINST_COTURN(least) {BAR_RUN_TIME, "uturn-io_uring", "coturn", least, false}
/* Its batches form in some runs only: it counts with its better ones. */
#define AGAINST_MULTIPLEX(least) {BAR_RUN_TIME, "uturn-io_uring", "coturn-multiplex", least, true}
#define ENGINES {BAR_RUN_TIME, "uturn-epoll", "uturn-io_uring", 1 / 1.3, false}
#define LATENCY(figure) {figure, "uturn-io_uring", "coturn", 1.1, false}
#define BOTH_ENGINES(figure, reference, bound) \
	{figure, "uturn-io_uring", reference, bound, false}, {figure, "uturn-epoll", reference, bound, false}
/* TLS 1.2 is what all of these servers speak, and this cipher what all of them have; DTLS is 1.2. */
#define TCP .transport = {.kind = TRANSPORT_TCP}
#define TLS .transport = {.kind = TRANSPORT_TLS, .version = TLS_VERSION_1_2, .cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"}
#define DTLS .transport = {.kind = TRANSPORT_DTLS, .cipher = "ECDHE-ECDSA-AES128-GCM-SHA256"}
#define CLIENTS_OVER(transport_bars) {AGAINST_COTURN(transport_bars), ENGINES}
/* clang-format on */

static const struct workload standard[] = {
	{
		.name = "up-8x1200",
		.title = "client to peer, 20 flows, bursts of 8 x 1200 B, single packets on arrival",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = {RUN_TIME(2.0, 1.1), {BAR_SYSTEM_CALLS, "uturn-io_uring", NULL, 0.05, false}},
	},
	{
		.name = "up-gro8",
		.title = "client to peer, 20 flows, 1200 B arriving as GRO aggregates of 8",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.gso = true,
		.bars = {RUN_TIME(5.5, 2.5)},
	},
	{
		.name = "up-gro32",
		.title = "client to peer, 20 flows, 1200 B arriving as GRO aggregates of 32",
		FLOOD(.flows = 20, .size = 1200, .burst = 32, .up = true, CLOSED_LOOP),
		.gso = true,
		.bars = {RUN_TIME(7.5, 3.5)},
	},
	{
		.name = "down-8x1200",
		.title = "peer to client, 20 flows, bursts of 8 x 1200 B, single packets on arrival",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .down = true, CLOSED_LOOP),
		.bars = {RUN_TIME(1.9, 1.9)},
	},
	{
		.name = "down-gro8",
		.title = "peer to client, 20 flows, 1200 B arriving as GRO aggregates of 8",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .down = true, CLOSED_LOOP),
		.gso = true,
		.bars = {RUN_TIME(5, 5)},
	},
	{
		.name = "both-8x1200",
		.title = "both directions at once, 20 flows, bursts of 8 x 1200 B",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, .down = true, CLOSED_LOOP),
		.bars = {RUN_TIME(1.7, 1.2)},
	},
	{
		.name = "indications-8x1200",
		.title = "20 flows, bursts of 8 x 1200 B in Send indications, and Data indications back",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, .down = true, .indications = true, CLOSED_LOOP),
		.bars = {RUN_TIME(1.8, 1.7)},
	},
	{
		.name = "audio-160",
		.title = "client to peer, 20 flows, single packets of 160 B (audio)",
		FLOOD(.flows = 20, .size = 160, .burst = 1, .up = true, CLOSED_LOOP),
		.bars = {RUN_TIME(1.25, 1.2)},
	},
	{
		.name = "flows-4000",
		.title = "client to peer, 4000 flows, single packets of 1200 B, 100 k/s in all",
		FLOOD(.flows = 4000, .size = 1200, .burst = 1, .up = true, .rate_per_s = 100e3),
		.bars = {RUN_TIME(1.45, 1.1)},
	},
	{
		.name = "replay-720p",
		.title = "the captured 720p call, as many copies as load coturn's core to 70 %",
		.kind = WORKLOAD_REPLAY,
		.capture = "chromium-720p-call.pcap",
		.load_share = 0.7,
		.bars = {RUN_TIME(1.6, 1.2), LATENCY(BAR_LATENCY_P99)},
	},
	{
		.name = "replay-audio",
		.title = "the captured audio call, as many copies as load coturn's core to 70 %",
		.kind = WORKLOAD_REPLAY,
		.capture = "chromium-audio-call.pcap",
		.load_share = 0.7,
		.bars = {RUN_TIME(1.25, 1.1)},
	},
	{
		.name = "replay-datachannel",
		.title = "the captured data-channel transfer, as many copies as load coturn's core to 70 %",
		.kind = WORKLOAD_REPLAY,
		.capture = "chromium-datachannel.pcap",
		.load_share = 0.7,
		.bars = {RUN_TIME(3, 1.5)},
	},
	{
		.name = "latency-10-1flow",
		.title = "client to peer, 1 flow, single packets of 1200 B, at 10 % of coturn's maximum",
		FLOOD(.flows = 1, .size = 1200, .burst = 1, .up = true, CLOSED_LOOP),
		.rate_share = 0.1,
		.left_out = "coturn-multiplex",
		.bars = {LATENCY(BAR_LATENCY_P50), LATENCY(BAR_LATENCY_P99)},
	},
	{
		.name = "latency-10-20flows",
		.title = "client to peer, 20 flows, single packets of 1200 B, at 10 % of coturn's maximum",
		FLOOD(.flows = 20, .size = 1200, .burst = 1, .up = true, CLOSED_LOOP),
		.rate_share = 0.1,
		.left_out = "coturn-multiplex",
		.bars = {LATENCY(BAR_LATENCY_P50), LATENCY(BAR_LATENCY_P99)},
	},
	{
		.name = "allocate",
		.title = "4000 allocations with one permission and one channel each",
		.kind = WORKLOAD_ALLOCATE,
		.held = 4000,
		.left_out = "coturn-multiplex",
		.bars =
			{
				BOTH_ENGINES(BAR_MEMORY, NULL, 2048),
				BOTH_ENGINES(BAR_MEMORY_IDLE, NULL, 12e6),
				BOTH_ENGINES(BAR_MEMORY_HELD, NULL, 20e6),
				BOTH_ENGINES(BAR_ALLOCATIONS, "coturn", 2),
			},
	},
	{
		.name = "attack",
		.title = "a call of 5 flows, 4000 packets/s in all, while others flood",
		.kind = WORKLOAD_ATTACK,
		.flood = {.flows = 5, .size = 1000, .burst = 1, .up = true, .down = true, .rate_per_s = 4000},
		.seconds = 1.5,
		.rounds_max = 3,
		.left_out = "coturn-multiplex",
		.bars = {BOTH_ENGINES(BAR_VICTIM_LOSS, NULL, 0), BOTH_ENGINES(BAR_VICTIM_P99, NULL, 2)},
	},
	{
		.name = "tcp-up-8x1200",
		.title = "TCP clients to UDP peers, 20 flows, bursts of 8 x 1200 B",
		TCP,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.5),
	},
	{
		.name = "tcp-down-8x1200",
		.title = "UDP peers to TCP clients, 20 flows, bursts of 8 x 1200 B",
		TCP,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .down = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.5),
	},
	{
		.name = "tls-up-8x1200",
		.title = "TLS 1.2 clients to UDP peers, AES-128-GCM, 20 flows, bursts of 8 x 1200 B",
		TLS,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.3),
	},
	{
		.name = "tls-down-8x1200",
		.title = "UDP peers to TLS 1.2 clients, AES-128-GCM, 20 flows, bursts of 8 x 1200 B",
		TLS,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .down = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.3),
	},
	{
		.name = "dtls-up-8x1200",
		.title = "DTLS 1.2 clients to UDP peers, AES-128-GCM, 20 flows, bursts of 8 x 1200 B",
		DTLS,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.3),
	},
	{
		.name = "dtls-down-8x1200",
		.title = "UDP peers to DTLS 1.2 clients, AES-128-GCM, 20 flows, bursts of 8 x 1200 B",
		DTLS,
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .down = true, CLOSED_LOOP),
		.bars = CLIENTS_OVER(1.3),
	},
	{
		.name = "tcp-idle",
		.title = "5000 idle connections of TCP, one Binding request answered on each",
		TCP,
		.kind = WORKLOAD_CONNECT,
		.held = 5000,
		.rounds_max = 3,
		.bars = {BOTH_ENGINES(BAR_CONNECTION, NULL, 2048)},
	},
	{
		.name = "tls-idle",
		.title = "5000 idle connections of TLS 1.2, one Binding request answered on each",
		TLS,
		.kind = WORKLOAD_CONNECT,
		.held = 5000,
		.rounds_max = 3,
		.bars = {BOTH_ENGINES(BAR_CONNECTION, NULL, 12288)},
	},
	{
		.name = "dtls-idle",
		.title = "5000 idle connections of DTLS 1.2, one Binding request answered on each",
		DTLS,
		.kind = WORKLOAD_CONNECT,
		.held = 5000,
		.rounds_max = 3,
		.bars = {BOTH_ENGINES(BAR_CONNECTION, NULL, 12288)},
	},
	{
		.name = "tls-handshakes",
		.title = "TLS 1.2 handshakes, P-256: full, resumed, and a call over UDP beside 500 full ones a second",
		TLS,
		.kind = WORKLOAD_HANDSHAKES,
		.flood = {.flows = 5, .size = 1000, .burst = 1, .up = true, .down = true, .rate_per_s = 4000},
		.handshakes = 1000,
		.handshakes_per_s = 500,
		.seconds = 1.5,
		.rounds_max = 3,
		.bars = {BOTH_ENGINES(BAR_VICTIM_LOSS, NULL, 0)},
	},
	/* From here on: in the full set only. */
	{
		.name = "up-8x100",
		.title = "client to peer, 20 flows, bursts of 8 x 100 B",
		FLOOD(.flows = 20, .size = 100, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = {ENGINES},
	},
	{
		.name = "up-8x500",
		.title = "client to peer, 20 flows, bursts of 8 x 500 B",
		FLOOD(.flows = 20, .size = 500, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = {ENGINES},
	},
	{
		.name = "up-8x1200-window16",
		.title = "client to peer, 20 flows, bursts of 8 x 1200 B, at most 16 of a flow under way",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, .window = 16),
		.bars = {ENGINES},
	},
	{
		.name = "up-8x1200-window256",
		.title = "client to peer, 20 flows, bursts of 8 x 1200 B, at most 256 of a flow under way",
		FLOOD(.flows = 20, .size = 1200, .burst = 8, .up = true, .window = 256),
		.bars = {ENGINES},
	},
	{
		.name = "up-1flow",
		.title = "client to peer, 1 flow, bursts of 8 x 1200 B",
		FLOOD(.flows = 1, .size = 1200, .burst = 8, .up = true, CLOSED_LOOP),
		.bars = {ENGINES},
	},
	{
		/* The range of relay ports has 16384. */
		.name = "flows-16000",
		.title = "client to peer, 16000 flows, single packets of 1200 B, 100 k/s in all",
		FLOOD(.flows = 16000, .size = 1200, .burst = 1, .up = true, .rate_per_s = 100e3),
		.rounds_max = 3,
		.bars = {ENGINES},
	},
};
enum { FULL_ROWS = sizeof standard / sizeof standard[0], QUICK_ROWS = FULL_ROWS - 6 };

const struct workload *workload_set(const char *name, size_t *ret_count)
{
	bool quick = strcmp(name, "quick") == 0;
	if (!quick && strcmp(name, "full") != 0)
		return NULL;
	*ret_count = quick ? QUICK_ROWS : FULL_ROWS;
	return standard;
}

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < FULL_ROWS; i++)
		if (strcmp(standard[i].name, name) == 0)
			return &standard[i];
	return NULL;
}

bool workload_defaults(const char *set, struct workload_defaults *ret_defaults)
{
	static const struct workload_defaults quick = {5, 0.8, "uturn-io_uring,uturn-epoll,coturn,coturn-multiplex"};
	static const struct workload_defaults full = {9, 3, "uturn-io_uring,uturn-epoll,coturn,coturn-new,coturn-multiplex,pion"};
	if (strcmp(set, "quick") == 0)
		*ret_defaults = quick;
	else if (strcmp(set, "full") == 0)
		*ret_defaults = full;
	else
		return false;
	return true;
}
