/*
 * traffic - every UDP datagram of a capture in a few bytes, and the flows they make; what they mean is decided once all are there.
 *
 * A flow is what goes between two endpoints, in both directions. Its ends are 0 and 1, in no order that would say something.
 *
 * Owns:    all its arrays (traffic_done).
 * Bounds:  SCRIPT_PACKETS_MAX datagrams.
 */
#ifndef UTURN_BENCH_CAPTURE_TRAFFIC_H
#define UTURN_BENCH_CAPTURE_TRAFFIC_H

#include "base/failure.h"
#include "capture/key_index.h"
#include "capture/message.h"
#include "load/script.h"

#define TRAFFIC_NONE UINT32_MAX

struct record { /* one datagram */
	uint64_t at_ns;
	uint32_t sequence; /* in the file: ties in time keep their order */
	uint32_t flow;
	uint32_t peer; /* number of the endpoint that an indication names; TRAFFIC_NONE; replaced by the path once that is known */
	uint16_t udp_size;
	uint16_t size; /* inside of TURN framing, where it has one */
	uint16_t channel;
	uint8_t kind;    /* enum message_kind */
	uint8_t payload; /* enum capture_payload */
	uint8_t from;    /* the sender's end of the flow */
	bool send;       /* an indication that carries data: Send rather than Data */
	bool estimated;  /* `size`, since the framing was cut */
};

enum flow_role {
	FLOW_TURN,
	FLOW_PLAIN,   /* media without a relay */
	FLOW_RELAYED, /* between a TURN server and a peer: the other leg of what a TURN flow carries */
	FLOW_STUN,    /* STUN alone */
	FLOW_UNSEEN,  /* none of its payload was captured */
	FLOW_DNS,
	FLOW_NO_MEDIA,
};

struct flow {
	uint32_t ends[2]; /* numbers of endpoints */
	uint32_t datagrams, unseen;
	uint32_t turn_like;        /* TURN by what was captured of it */
	uint32_t turn_sure;        /* STUN with the magic cookie and a method that only TURN has */
	uint32_t media_like, stun; /* RTP, RTCP and DTLS without TURN around; STUN */
	uint32_t server_votes[2];  /* TURN messages that only a server sends or receives */
	uint32_t binding_votes[2]; /* the same for Binding */
	uint8_t role;              /* enum flow_role: set by flows_judge */
	uint8_t client;            /* FLOW_TURN and FLOW_PLAIN: the client's end */
};

struct binding {             /* a ChannelBind request */
	uint32_t flow, peer; /* the peer's endpoint */
	uint16_t channel;
	bool refused;
	uint32_t sequence;
	uint64_t at_ns;
	uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE];
};

struct traffic {
	struct key_index endpoints; /* struct addr */
	struct key_index flow_keys; /* two numbers of endpoints, ascending */
	struct key_index relayed;   /* struct addr: what servers told their clients */
	struct flow *flows;
	struct record *records;
	struct binding *bindings;
	size_t flow_capacity, record_count, record_capacity, binding_count, binding_capacity;
	uint64_t frames, frames_truncated, disordered, aggregates;
	uint64_t left_out[CAPTURE_REASONS]; /* frames that hold no UDP datagram, by LEFT_… */
};

void traffic_init(struct traffic *t);
void traffic_done(struct traffic *t);

/* Adds one captured frame; `wire_size` is its size before it was cut. False with one line: too many datagrams, or no memory. */
bool traffic_add(struct traffic *t, int link_type, uint64_t at_ns, struct bytes frame, size_t wire_size, struct failure *failure);

/* Once all are added: brings the records into the order of time. */
void traffic_sort(struct traffic *t);

static inline const struct addr *traffic_endpoint(const struct traffic *t, uint32_t number)
{
	return key_index_key(&t->endpoints, number);
}

#endif
