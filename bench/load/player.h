/*
 * player - a paced load: who sends what when. A player is a copy of a script, or one stream of a flood with a rate. HOT.
 *
 * Copies of a script begin at different places of it, spread evenly over its length, so that the load is from its first moment on
 * what it is on average. Streams of a flood take their turns evenly spaced, too.
 *
 * A player that has fallen behind by more than PLAYER_BEHIND_MAX_NS, because the loader's core is full, leaves out what it missed:
 * else it would send ever more at once.
 */
#ifndef UTURN_BENCH_LOAD_PLAYER_H
#define UTURN_BENCH_LOAD_PLAYER_H

#include "load/script.h"

#define PLAYER_BEHIND_MAX_NS UINT64_C(100000000)

struct worker;

struct player {
	uint32_t path;       /* its unit's first path; of a flood: its path */
	uint32_t position;   /* the packet of the script that comes next; of a flood: the direction */
	uint64_t started_ns; /* when this round of the script began; of a flood: when the first burst was due */
	uint64_t turn;       /* of a flood: bursts so far */
};

/* Makes the worker's players and puts them into its schedule. False: out of memory. */
bool players_init(struct worker *w);

/* Sends what is due of the first in the schedule, at most of a few players. Returns when the next packet is due. */
uint64_t players_play(struct worker *w, uint64_t now_ns);

/* Sending has ended: counts what was missed until then, if the players were behind. */
void players_finish(struct worker *w, uint64_t now_ns);

/* The position of the first packet at or after at_ns; packet_count when there is none. */
uint32_t script_seek(const struct script *s, uint64_t at_ns);

#endif
