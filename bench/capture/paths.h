/*
 * paths - from the flows of a capture to its paths, and from its datagrams to a script.
 *
 * A path is a peer of a client; one whose address the capture does not tell is named by its channel. Channels are told apart by
 * the ChannelBind request before a packet, or else by the first one after it (a capture may begin within a call).
 */
#ifndef UTURN_BENCH_CAPTURE_PATHS_H
#define UTURN_BENCH_CAPTURE_PATHS_H

#include "capture/traffic.h"

/*
 * Fills script (but for its length), paths (but for what streams_measure fills) and counts in *ret_capture, which is zero before
 * and is left to capture_done in any case. The flows have been judged. Overwrites `peer` of the records with their path. False
 * with one line when a script cannot hold it, or no path has `packets_min` packets; a script without packets is no failure when
 * there was no media.
 */
bool paths_make(struct traffic *t, uint64_t packets_min, struct capture *ret_capture, struct failure *failure);

#endif
