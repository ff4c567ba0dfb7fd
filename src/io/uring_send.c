/* Per train: one submission; a completion only if it fails. */

#include "train_private.h"
#include "uring.h"

static bool submit_now(struct uring *u)
{
	bool taken = ring_submit(u);
	uring_settle(u);
	return taken;
}

static bool emit(struct uring *u, uint32_t index)
{
	struct engine *engine = &u->engine;
	struct train *train = trains_at(engine->trains, index);
	struct engine_socket *s = engine_socket(engine, train->socket);
	if (s->dont_fragment != train->dont_fragment) {
		/* An option of the socket, not of the message: what is in front must have left. */
		if (!submit_now(u))
			return false;
		counter_add(&engine->counters.system_calls, 1);
		engine_set_dont_fragment(s, train->dont_fragment);
	}
	struct io_uring_sqe *entry = ring_entry(u);
	if (entry == NULL)
		return false;
	struct train_message *message = &engine->messages[index];
	train_message(train, message);
	io_uring_prep_sendmsg(entry, (int)train->socket, &message->header, MSG_DONTWAIT | MSG_NOSIGNAL);
	entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	entry->user_data = completion_tag(COMPLETION_SEND, u->flush_count, index);
	engine_send_begun(engine, train);
	return true;
}

void uring_emit(struct uring *u)
{
	struct engine *engine = &u->engine;
	trains_close_all(engine->trains);
	unsigned count = trains_count(engine->trains);
	while (u->trains_emitted < count) {
		uint32_t index = u->trains_emitted;
		if (!emit(u, index))
			return;
		u->trains_emitted++;
		const struct train *train = trains_at(engine->trains, index);
		if (train->segments == 1 || routes_work(&engine->routes, train, engine->now_ns))
			continue;
		/* The first train on this route: see in routes.h why it goes alone. A failure takes the route's entry back. */
		routes_learn_success(&engine->routes, train, engine->now_ns);
		if (!submit_now(u))
			return;
	}
}

void uring_settle(struct uring *u)
{
	struct io_uring_cqe *completion;
	unsigned head, leading = 0, seen = 0;
	io_uring_for_each_cqe(&u->ring, head, completion)
	{
		uint64_t tag = completion->user_data;
		seen++;
		if (completion_kind(tag) != COMPLETION_SEND || completion_generation(tag) != (u->flush_count & 0xffffff))
			continue;
		engine_send_failed(&u->engine, trains_at(u->engine.trains, (uint32_t)tag), -completion->res);
		completion->user_data = completion_tag(COMPLETION_NONE, 0, 0);
		leading += leading == seen - 1;
	}
	/* Those in front can go. Between receives they wait for uring_collect, which skips them. */
	io_uring_cq_advance(&u->ring, leading);
}

bool uring_flushed(struct uring *u)
{
	if (io_uring_sq_ready(&u->ring) > 0 || u->trains_emitted < trains_count(u->engine.trains))
		return false;
	engine_flushed(&u->engine);
	u->trains_emitted = 0;
	u->flush_count++;
	return true;
}

bool uring_flush(struct engine *engine)
{
	struct uring *u = uring_of(engine);
	uring_emit(u);
	uring_cancel(u);
	submit_now(u);
	return uring_flushed(u);
}
