#include "load/player.h"

#include <stdlib.h>

#include "base/clock.h"
#include "load/worker.h"

/* Before arrivals are looked at again: players, and packets of one stream of a flood that is behind. */
enum { PLAYERS_AT_ONCE = 16, PACKETS_AT_ONCE = 64 };

uint32_t script_seek(const struct script *s, uint64_t at_ns)
{
	size_t low = 0, high = s->packet_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->packets[middle].at_ns < at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static uint64_t script_due_ns(const struct player *p, const struct script *s)
{
	return p->started_ns + s->packets[p->position].at_ns;
}

static void script_wrap(struct player *p, const struct script *s)
{
	if (p->position < s->packet_count)
		return;
	p->position = 0;
	p->started_ns += s->length_ns;
}

static bool inside_window(const struct worker *w, uint64_t due_ns)
{
	const struct window *window = &w->control->window;
	return due_ns >= atomic_load_explicit(&window->start_ns, memory_order_relaxed) &&
	       due_ns < atomic_load_explicit(&window->end_ns, memory_order_relaxed);
}

static void count_skipped(struct worker *w, enum direction direction, uint64_t count)
{
	tally_count(&w->tallies[direction].unsent, count);
	tally_count(&w->skipped, count);
}

static void script_catch_up(struct worker *w, struct player *p, uint64_t now_ns)
{
	const struct script *s = w->plan->script;
	if (now_ns <= script_due_ns(p, s) + PLAYER_BEHIND_MAX_NS)
		return;
	while (script_due_ns(p, s) < now_ns) {
		if (inside_window(w, script_due_ns(p, s)))
			count_skipped(w, s->packets[p->position].direction, 1);
		p->position++;
		script_wrap(p, s);
	}
}

static void script_send(struct worker *w, const struct player *p, const struct script_packet *packet)
{
	struct path *path = &w->paths->paths[p->path + w->paths->places[packet->path]];
	int fd = packet->direction == UP ? w->paths->allocations[path->allocation].fd : path->peer_fd;
	struct sender *sender = &w->sender;
	if (sender_full(sender) ||
		(sender->packet_count > 0 && (sender->fd != fd || (uint8_t)sender->direction != packet->direction)))
		sender_flush(sender);
	sender_start_path(sender, w->paths, path, packet->direction);
	bool indication = packet->direction == UP && (packet->indication || path->channel == 0);
	sender_add(sender, path, packet->size, indication, script_due_ns(p, w->plan->script));
}

static uint64_t script_play(struct worker *w, struct player *p, uint64_t now_ns)
{
	const struct script *s = w->plan->script;
	script_catch_up(w, p, now_ns);
	while (script_due_ns(p, s) <= now_ns) {
		script_send(w, p, &s->packets[p->position]);
		p->position++;
		script_wrap(p, s);
	}
	sender_flush(&w->sender);
	return script_due_ns(p, s);
}

static unsigned flood_directions(const struct load_flood *f)
{
	return (unsigned)f->up + (unsigned)f->down;
}

/* How long a stream's burst lasts until its next one. */
static double flood_interval_ns(const struct load_flood *f)
{
	return (double)f->burst * f->flows * flood_directions(f) * (double)NS_PER_S / f->rate_per_s;
}

/* From the start each time: a sum of rounded intervals would drift off. */
static uint64_t flood_due_ns(const struct player *p, const struct load_flood *f)
{
	return p->started_ns + (uint64_t)((double)p->turn * flood_interval_ns(f));
}

/* How many bursts of the player are due before at_ns. */
static uint64_t flood_turns_before(const struct player *p, const struct load_flood *f, uint64_t at_ns)
{
	if (at_ns <= p->started_ns)
		return 0;
	double turns = (double)(at_ns - p->started_ns) / flood_interval_ns(f);
	uint64_t whole = (uint64_t)turns;
	return (double)whole < turns ? whole + 1 : whole;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

/* Counted at once, not one by one: a rate that nothing can keep has more bursts than there is time to count. */
static void flood_catch_up(struct worker *w, struct player *p, uint64_t now_ns)
{
	const struct load_flood *f = &w->plan->flood;
	if (now_ns <= flood_due_ns(p, f) + PLAYER_BEHIND_MAX_NS)
		return;
	const struct window *window = &w->control->window;
	uint64_t start_ns = atomic_load_explicit(&window->start_ns, memory_order_relaxed);
	uint64_t end_ns = atomic_load_explicit(&window->end_ns, memory_order_relaxed);
	uint64_t next = flood_turns_before(p, f, now_ns);
	uint64_t first = at_least(flood_turns_before(p, f, at_most(start_ns, now_ns)), p->turn);
	uint64_t end = flood_turns_before(p, f, at_most(end_ns, now_ns));
	p->turn = at_least(next, p->turn);
	if (end > first)
		count_skipped(w, p->position, (end - first) * f->burst);
}

static uint64_t flood_play(struct worker *w, struct player *p, uint64_t now_ns)
{
	const struct load_flood *f = &w->plan->flood;
	struct path *path = &w->paths->paths[p->path];
	enum direction direction = p->position;
	flood_catch_up(w, p, now_ns);
	uint64_t due_ns = flood_due_ns(p, f);
	sender_start_path(&w->sender, w->paths, path, direction);
	for (unsigned sent = 0; due_ns <= now_ns && sent < PACKETS_AT_ONCE; sent += f->burst) {
		for (unsigned i = 0; i < f->burst; i++)
			sender_add(&w->sender, path, f->size, direction == UP && f->indications, due_ns);
		sender_flush(&w->sender);
		p->turn++;
		due_ns = flood_due_ns(p, f);
	}
	return due_ns;
}

uint64_t players_play(struct worker *w, uint64_t now_ns)
{
	struct schedule *schedule = &w->schedule;
	bool script = w->plan->kind == LOAD_SCRIPT;
	for (unsigned i = 0; i < PLAYERS_AT_ONCE && schedule->count > 0 && schedule->entries[0].due_ns <= now_ns; i++) {
		struct player *p = &w->players[schedule->entries[0].player];
		schedule_postpone(schedule, script ? script_play(w, p, now_ns) : flood_play(w, p, now_ns));
		now_ns = clock_mono_ns();
	}
	return schedule->count > 0 ? schedule->entries[0].due_ns : UINT64_MAX;
}

void players_finish(struct worker *w, uint64_t now_ns)
{
	for (uint32_t i = 0; i < w->schedule.count; i++) {
		struct player *p = &w->players[i];
		if (w->plan->kind == LOAD_SCRIPT)
			script_catch_up(w, p, now_ns);
		else
			flood_catch_up(w, p, now_ns);
	}
}

/*
 * Neighbours among the copies go to different workers, so that all workers' load is alike at any time. Some workers have a copy
 * more than others; still each number from 0 to calls - 1 is given once.
 */
static unsigned copy_number(const struct worker *w, unsigned index)
{
	uint64_t units = w->paths->units, number = 0;
	for (unsigned other = 0; other < w->workers; other++) {
		uint64_t count = units * (other + 1) / w->workers - units * other / w->workers;
		uint64_t before = index + (other < w->number);
		number += count < before ? count : before;
	}
	return (unsigned)number;
}

static void script_init(struct worker *w, unsigned index)
{
	const struct script *s = w->plan->script;
	struct player *p = &w->players[index];
	unsigned number = copy_number(w, index);
	uint64_t offset_ns = (uint64_t)((double)s->length_ns * number / w->plan->calls);
	p->path = (w->unit_first + index) * w->paths->unit_paths;
	p->position = script_seek(s, offset_ns);
	p->started_ns = w->control->start_ns - offset_ns;
	script_wrap(p, s);
	schedule_add(&w->schedule, index, script_due_ns(p, s));
}

static void flood_init(struct worker *w, unsigned index, unsigned direction_index)
{
	const struct load_flood *f = &w->plan->flood;
	unsigned directions = flood_directions(f), player = index * directions + direction_index;
	unsigned number = (w->unit_first + index) * directions + direction_index;
	struct player *p = &w->players[player];
	p->path = w->unit_first + index;
	p->position = directions == DIRECTIONS ? direction_index : f->up ? UP : DOWN;
	p->started_ns = w->control->start_ns + (uint64_t)(flood_interval_ns(f) * number / ((double)f->flows * directions));
	schedule_add(&w->schedule, player, p->started_ns);
}

bool players_init(struct worker *w)
{
	bool script = w->plan->kind == LOAD_SCRIPT;
	unsigned each = script ? 1 : flood_directions(&w->plan->flood);
	w->players = calloc((size_t)w->unit_count * each, sizeof *w->players);
	if (w->players == NULL || !schedule_init(&w->schedule, w->unit_count * each))
		return false;
	for (unsigned index = 0; index < w->unit_count; index++) {
		if (script) {
			script_init(w, index);
			continue;
		}
		for (unsigned direction = 0; direction < each; direction++)
			flood_init(w, index, direction);
	}
	return true;
}
