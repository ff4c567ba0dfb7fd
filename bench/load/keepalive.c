#include "load/keepalive.h"

#include <stdlib.h>

enum { CLIENTS_AT_ONCE = 16 };

bool keepalive_init(struct keepalive *k, struct setup_client *clients, unsigned count)
{
	k->clients = clients;
	k->first = clients[0].client;
	k->count = count;
	k->wake_ns = calloc(count, sizeof *k->wake_ns);
	return k->wake_ns != NULL;
}

void keepalive_done(struct keepalive *k)
{
	free(k->wake_ns);
	k->wake_ns = NULL;
}

/* A request that the socket does not take is sent again by its timer. */
static void ask(struct keepalive *k, unsigned index, uint64_t now_ns)
{
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	struct setup_client *client = &k->clients[index];
	size_t size;
	while ((size = turn_client_poll(client->client, now_ns, message, &k->wake_ns[index])) > 0)
		(void)!setup_send(client, message, size);
	if (client->client->state == TURN_CLIENT_FAILED) {
		k->wake_ns[index] = UINT64_MAX;
		if (atomic_load_explicit(&k->failed, memory_order_relaxed) == NULL)
			atomic_store_explicit(&k->failed, client->client, memory_order_release);
	}
	if (k->wake_ns[index] < k->next_ns)
		k->next_ns = k->wake_ns[index];
}

void keepalive_answered(struct keepalive *k, struct turn_client *client, uint64_t now_ns)
{
	ask(k, (unsigned)(client - k->first), now_ns);
}

void keepalive_work(struct keepalive *k, uint64_t now_ns)
{
	unsigned asked = 0;
	k->next_ns = UINT64_MAX;
	for (unsigned i = 0; i < k->count; i++) {
		if (k->wake_ns[i] <= now_ns && asked < CLIENTS_AT_ONCE) {
			asked++;
			ask(k, i, now_ns);
		} else if (k->wake_ns[i] < k->next_ns) {
			k->next_ns = k->wake_ns[i];
		}
	}
}
