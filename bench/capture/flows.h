/*
 * flows - decides what each flow of a capture is, and which of its ends is the client.
 *
 * TURN: a message with a method that only TURN has, or at least half of what was captured is ChannelData or looks like such
 * messages. Its server is the end that TURN requests reach and responses leave; else an end that is the server of another flow;
 * else the one with port 3478; else the end that Binding requests reach; else the one that more of these flows share; else the
 * one with the lower port.
 *
 * Plain media: at least half of what was captured is RTP, RTCP, DTLS or STUN, not STUN alone, neither to a group nor to a port of
 * a service that is known for something else, and no end has the address of a TURN server (that would be the same packets again,
 * behind the relay).
 */
#ifndef UTURN_BENCH_CAPTURE_FLOWS_H
#define UTURN_BENCH_CAPTURE_FLOWS_H

#include "capture/traffic.h"

/* Sets role and client of each flow. The records are in the order of time. False: no memory. */
bool flows_judge(struct traffic *t);

#endif
