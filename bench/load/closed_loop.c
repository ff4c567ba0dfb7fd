#include "load/closed_loop.h"

/* Before arrivals are looked at again. */
enum { STREAMS_AT_ONCE = 16 };

static void append(struct worker *w, struct stream *s)
{
	s->newer = NULL;
	s->older = w->newest;
	if (w->newest != NULL)
		w->newest->newer = s;
	else
		w->oldest = s;
	w->newest = s;
}

static void take_out(struct worker *w, struct stream *s)
{
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		w->oldest = s->newer;
	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		w->newest = s->older;
}

static bool sends(const struct load_plan *plan, enum direction direction)
{
	return direction == UP ? plan->flood.up : plan->flood.down;
}

void closed_loop_init(struct worker *w)
{
	for (unsigned i = 0; i < w->unit_count; i++)
		for (unsigned direction = 0; direction < DIRECTIONS; direction++)
			if (sends(w->plan, direction))
				append(w, &w->paths->paths[w->unit_first + i].streams[direction]);
}

static bool has_room(const struct worker *w, const struct stream *s)
{
	return stream_under_way(s) + w->plan->flood.burst <= w->plan->flood.window;
}

static void make_ready(struct worker *w, struct stream *s)
{
	if (s->ready || !has_room(w, s))
		return;
	s->ready = true;
	s->ready_next = NULL;
	if (w->ready_last != NULL)
		w->ready_last->ready_next = s;
	else
		w->ready_first = s;
	w->ready_last = s;
}

static struct stream *take_ready(struct worker *w)
{
	struct stream *s = w->ready_first;
	w->ready_first = s->ready_next;
	if (w->ready_first == NULL)
		w->ready_last = NULL;
	s->ready = false;
	return s;
}

void closed_loop_top_up(struct worker *w, struct path *path, enum direction direction)
{
	if (sends(w->plan, direction))
		make_ready(w, &path->streams[direction]);
}

/* A stream lies inside its path, and that in the array of all. */
static struct path *path_of(struct worker *w, const struct stream *s, enum direction *ret_direction)
{
	size_t offset = (size_t)((const uint8_t *)s - (const uint8_t *)w->paths->paths);
	struct path *path = &w->paths->paths[offset / sizeof *path];
	*ret_direction = (enum direction)(s - path->streams);
	return path;
}

static void send_burst(struct worker *w, struct stream *s)
{
	const struct load_flood *f = &w->plan->flood;
	enum direction direction;
	struct path *path = path_of(w, s, &direction);
	sender_start_path(&w->sender, w->paths, path, direction);
	for (unsigned i = 0; i < f->burst; i++)
		sender_add(&w->sender, path, f->size, direction == UP && f->indications, 0);
	sender_flush(&w->sender);
	s->sent_ns = w->sender.now_ns;
	take_out(w, s);
	append(w, s);
}

uint64_t closed_loop_work(struct worker *w, uint64_t now_ns)
{
	/* The list is in the order of sending, so those whose time is up stand at its start. */
	for (unsigned i = 0; i < STREAMS_AT_ONCE && now_ns >= w->oldest->sent_ns + CLOSED_LOOP_PATIENCE_NS; i++) {
		struct stream *s = w->oldest;
		s->done = s->next;
		s->sent_ns = now_ns;
		take_out(w, s);
		append(w, s);
		make_ready(w, s);
	}
	/* In turns, one burst each: flows share the way, and none sends its whole window at once. */
	for (unsigned i = 0; i < STREAMS_AT_ONCE && w->ready_first != NULL; i++) {
		struct stream *s = take_ready(w);
		send_burst(w, s);
		make_ready(w, s);
	}
	return w->ready_first != NULL ? now_ns : w->oldest->sent_ns + CLOSED_LOOP_PATIENCE_NS;
}
