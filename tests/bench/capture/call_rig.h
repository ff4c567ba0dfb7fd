/*
 * call_rig - the addresses that the capture tests share, and packets of a TURN call at whole milliseconds.
 */
#ifndef UTURN_TESTS_CALL_RIG_H
#define UTURN_TESTS_CALL_RIG_H

#include "capture_rig.h"

struct call_rig {
	struct rig file;
	struct addr client, other_client, server, peer, other_peer;
};

static inline void call_init(struct call_rig *c, enum rig_format format, enum rig_link link)
{
	*c = (struct call_rig){
		.client = addr_ipv4(192, 0, 2, 1, 40000),
		.other_client = addr_ipv4(192, 0, 2, 2, 40001),
		.server = addr_ipv4(198, 51, 100, 1, 3478),
		.peer = addr_ipv4(203, 0, 113, 7, 5000),
		.other_peer = addr_ipv4(203, 0, 113, 8, 5001),
	};
	rig_init(&c->file, format, link);
}

static inline void call_up(struct call_rig *c, unsigned at_ms, struct bytes payload)
{
	rig_udp(&c->file, (uint64_t)at_ms * 1000000, &c->client, &c->server, payload);
}

static inline void call_down(struct call_rig *c, unsigned at_ms, struct bytes payload)
{
	rig_udp(&c->file, (uint64_t)at_ms * 1000000, &c->server, &c->client, payload);
}

#endif
