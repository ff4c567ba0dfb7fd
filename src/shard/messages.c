/*
 * messages - what other threads ask of a shard: the server (orders, drain, stop, find) and other shards (reservations).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "query.h"
#include "shard_state.h"

bool shard_tell(struct shard *shard, const struct message *message)
{
	if (!mailbox_put(&shard->mailbox, message))
		return false;
	engine_wake(shard->engine);
	return true;
}

struct shard_order *shard_order_create(void)
{
	return calloc(1, sizeof(struct shard_order));
}

void shard_order_free(struct shard_order *order)
{
	if (order == NULL)
		return;
	for (unsigned i = 0; i < order->listener_count; i++)
		for (unsigned family = 0; family < RELAY_FAMILIES; family++)
			if (order->listeners[i].fds[family] >= 0)
				close(order->listeners[i].fds[family]);
	turn_config_unref(order->config);
	stream_config_unref(order->streams);
	free(order);
}

bool shard_give_order(struct shard *shard, struct shard_order *order)
{
	return shard_tell(shard, &(struct message){.kind = MESSAGE_ORDER, .order = order});
}

bool shard_close_listener(struct shard *shard, uint8_t listener)
{
	return shard_tell(shard, &(struct message){.kind = MESSAGE_CLOSE, .listener = listener});
}

bool shard_drain(struct shard *shard)
{
	return shard_tell(shard, &(struct message){.kind = MESSAGE_DRAIN});
}

void query_release(struct allocation_query *query)
{
	if (atomic_fetch_sub(&query->holders, 1) > 1)
		return;
	sem_destroy(&query->answered);
	free(query);
}

static struct allocation_query *query_create(const char *username, const struct addr *client, size_t max)
{
	struct allocation_query *query = calloc(1, sizeof *query + max * sizeof query->infos[0]);
	if (query == NULL)
		return NULL;
	atomic_init(&query->holders, 2);
	sem_init(&query->answered, 0, 0);
	if (username != NULL) {
		query->by_username = true;
		strncpy(query->username, username, STUN_USERNAME_SIZE_MAX);
	}
	query->client = *client;
	query->max = max;
	return query;
}

ssize_t shard_find_allocations(
	struct shard *shard, const char *username, const struct addr *client, struct allocation_info *ret_infos, size_t max)
{
	/* No allocation has a longer name. */
	if (username != NULL && strlen(username) > STUN_USERNAME_SIZE_MAX)
		return 0;
	struct allocation_query *query = query_create(username, client, max);
	if (query == NULL)
		return -ENOMEM;
	struct message message = {.kind = MESSAGE_FIND, .find = query};
	ssize_t result = -ETIMEDOUT;
	struct timespec deadline = {.tv_sec = (time_t)clock_now().wall_s + 2};
	if (!shard_tell(shard, &message)) {
		query_release(query);
	} else if (sem_timedwait(&query->answered, &deadline) == 0) {
		result = (ssize_t)query->found;
		memcpy(ret_infos, query->infos, (query->found < max ? query->found : max) * sizeof ret_infos[0]);
	}
	query_release(query);
	return result;
}

static void answer_query(struct shard *shard, struct allocation_query *query)
{
	query->found = turn_find_allocations(
		shard->turn, query->by_username ? query->username : NULL, &query->client, &shard->now, query->infos, query->max);
	sem_post(&query->answered);
	query_release(query);
}

/* A client of this shard brings a token; the shard that it names has the socket (it may be this one). */
void shard_claim(struct shard *shard, const struct turn_effect *effect)
{
	struct message message = {.kind = MESSAGE_CLAIM, .claim = {.from = shard->params.index, .relay = effect->relay}};
	memcpy(message.claim.token, effect->token, RESERVATION_TOKEN_SIZE);
	unsigned owner = effect->token[0];
	bool room = shard->claims_under_way < MAILBOX_ANSWERS;
	if (owner < shard->params.count && room && shard_tell(shard->shards[owner], &message)) {
		shard->claims_under_way++;
		return;
	}
	if (owner < shard->params.count)
		counter_add(&shard->counters->mailbox_full, 1);
	turn_relay_failed(shard->turn, effect->relay, RELAY_NO_RESERVATION, &shard->now, &shard->out);
}

static void answer_claim(struct shard *shard, const struct message *claim)
{
	struct message answer = {.kind = MESSAGE_NOT_CLAIMED, .claim = claim->claim};
	struct relay_ref relay;
	answer.claim.fd = -1;
	if (turn_reservation_take(shard->turn, claim->claim.token, &relay, &answer.claim.bound))
		answer.claim.fd = relay_give(shard, relay);
	if (answer.claim.fd >= 0)
		answer.kind = MESSAGE_CLAIMED;
	bool told = shard_tell(shard->shards[claim->claim.from], &answer);
	assert(told);
	(void)told;
}

static void claimed(struct shard *shard, const struct message *message)
{
	shard->claims_under_way--;
	if (message->kind == MESSAGE_NOT_CLAIMED) {
		turn_relay_failed(shard->turn, message->claim.relay, RELAY_NO_RESERVATION, &shard->now, &shard->out);
	} else if (relay_adopt(shard, message->claim.relay, message->claim.fd)) {
		turn_relay_opened(shard->turn, message->claim.relay, &message->claim.bound, &shard->now, &shard->out);
	} else {
		port_table_release(shard->params.shared->ports, message->claim.bound.family, message->claim.bound.port);
		turn_relay_failed(shard->turn, message->claim.relay, RELAY_NO_RESOURCES, &shard->now, &shard->out);
	}
}

static void take_order(struct shard *shard, struct shard_order *order)
{
	listeners_take_order(shard, order);
	order->listener_count = 0;
	shard_order_free(order);
}

static void read_message(struct shard *shard, const struct message *message)
{
	shard->out.effect_count = 0;
	switch (message->kind) {
	case MESSAGE_ORDER:
		take_order(shard, message->order);
		break;
	case MESSAGE_CLOSE:
		listener_close(shard, message->listener);
		break;
	case MESSAGE_DRAIN:
		turn_drain(shard->turn);
		break;
	case MESSAGE_STOP:
		shard->stopping = true;
		break;
	case MESSAGE_FIND:
		answer_query(shard, message->find);
		break;
	case MESSAGE_CLAIM:
		answer_claim(shard, message);
		break;
	case MESSAGE_CLAIMED:
	case MESSAGE_NOT_CLAIMED:
		claimed(shard, message);
		break;
	}
	shard_perform(shard);
}

void shard_read_mailbox(struct shard *shard)
{
	struct message message;
	while (mailbox_take(&shard->mailbox, &message))
		read_message(shard, &message);
}
