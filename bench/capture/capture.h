/*
 * capture - finds the media of a call in a packet capture and turns it into a script.
 *
 * Reads pcap and pcapng through libpcap (Ethernet, Linux cooked v1 and v2, raw IP, loopback; VLAN tags; IPv4 with options, IPv6
 * with extension headers; fragments and everything that is not UDP are counted and left out). Lengths are those of the UDP
 * header, so packets that were truncated by a snap length keep their true sizes. What a packet is follows from its first byte
 * (RFC 7983). Packets are taken in the order of their time stamps; those of one time keep the file's order.
 *
 * Flows found by themselves:
 *   - TURN as seen between client and server: the server is the end that answers Allocate, or that ChannelData and indications
 *     show to be one. Each client 5-tuple is an allocation; each channel number, or XOR-PEER-ADDRESS of indications, a path. A
 *     channel and the indications of the same peer are one path (ChannelBind tells them together). Where the framing of a packet
 *     is too truncated to name its peer, it belongs to the only path there is, or to the path with the most packets of that
 *     client. STUN requests and responses of the client with the server are not replayed: the loader makes its own.
 *   - plain UDP between two hosts, when at least half of it is RTP, RTCP, DTLS or STUN, and not all of it STUN: the end that sent
 *     first is the client, the other the peer; one path, a channel. Between a TURN server and a peer it is the other leg of what
 *     is replayed already, and left out.
 * Payload sizes in the script are without TURN framing (ChannelData header, indication attributes) and its padding. Where a snap
 * length cut the framing before the data's length, the size follows from the UDP length, as if there was no padding.
 *
 * A script begins with the first packet of media. Its length is the time from there to the last one, and the mean gap between two
 * packets, so that a loop keeps the rate; a second when all have the same time. Captures that span more than a day are refused.
 */
#ifndef UTURN_BENCH_CAPTURE_CAPTURE_H
#define UTURN_BENCH_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/failure.h"
#include "load/script.h"

/* Why a packet is not in the script, other than being STUN between client and server. */
enum capture_reason {
	LEFT_TCP,
	LEFT_OTHER_IP, /* neither UDP nor TCP */
	LEFT_NOT_IP,
	LEFT_FRAGMENT,
	LEFT_CUT,       /* captured too short for its UDP header */
	LEFT_MALFORMED, /* lengths that contradict each other */
	LEFT_UNSEEN,    /* UDP, but none of its payload was captured */
	LEFT_DNS,
	LEFT_STUN,     /* flows of STUN alone */
	LEFT_RELAYED,  /* between a TURN server and a peer */
	LEFT_NOT_TURN, /* in a TURN flow, but neither STUN nor a valid ChannelData or indication */
	LEFT_NO_MEDIA, /* other UDP */
	LEFT_FEW,      /* paths with fewer than the asked packets */
	CAPTURE_REASONS,
};

enum capture_payload { PAYLOAD_RTP, PAYLOAD_RTCP, PAYLOAD_STUN, PAYLOAD_DTLS, PAYLOAD_OTHER, CAPTURE_PAYLOADS };

struct capture_stream { /* one direction of a path */
	uint64_t packets, payload_bytes, indications;
	uint64_t payloads[CAPTURE_PAYLOADS];
	uint16_t size_p50, size_p90, size_max;
	/* Shares of packets that follow the one before within 1 ms, and of those that have its size besides. */
	double follows_1ms, follows_1ms_same_size;
};

struct capture_path {
	struct addr client, server; /* server: ADDR_NONE for plain UDP */
	struct addr peer;           /* ADDR_NONE where the capture does not tell */
	uint16_t channel;           /* 0: none */
	struct capture_stream streams[DIRECTIONS];
};

struct capture {
	struct script script;
	struct capture_path *paths; /* script.path_count of them, same order */
	uint64_t packets_read;      /* as the file holds them; all others count datagrams: of an aggregate, each of those in it */
	uint64_t aggregates; /* packets that hold several datagrams, by segmentation or receive offload of the capturing host */
	uint64_t media_packets, stun_packets, left_out, truncated;
	uint64_t reasons[CAPTURE_REASONS]; /* what `left_out` is made of */
	uint64_t estimated;                /* media packets whose size follows from the UDP length alone */
	uint64_t disordered;               /* with an earlier time stamp than the packet before */
	double seconds;                    /* from the first media packet to the last */
};

/*
 * Reads one file. False with one line: cannot be opened; not a capture; damaged (how far it could be read, in packets and bytes);
 * a link type that is not known; no media flow in it (and what was in it instead). *ret_capture is written on success only;
 * capture_done frees. Paths with fewer than `packets_min` packets (both directions together; 0 and 1: all) are left out of the
 * script.
 */
bool capture_read(const char *path, uint64_t packets_min, struct capture *ret_capture, struct failure *failure);
void capture_done(struct capture *c);

/* `inspect`: a table for people. */
void capture_print(const struct capture *c, const char *path, FILE *out);

/*
 * Joins the scripts of several captures into one, all starting together; it loops at the longest. False with one line when that
 * is more than a script can hold.
 */
bool capture_join(const struct capture *captures, size_t count, struct script *ret_script, struct failure *failure);

#endif
