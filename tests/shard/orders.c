#include "orders.h"

#include <criterion/criterion.h>

struct shard_order *order_create(struct turn_config *config, struct stream_config *streams)
{
	struct shard_order *order = shard_order_create();
	cr_assert_not_null(order);
	order->config = turn_config_ref(config);
	order->streams = streams == NULL ? stream_config_create() : stream_config_ref(streams);
	return order;
}

void order_add_socket(struct shard_order *order, uint8_t listener, int fd)
{
	order->listeners[order->listener_count++] =
		(struct shard_listener){.listener = listener, .from = {LISTENER_NONE, LISTENER_NONE}, .fds = {fd, -1}};
}

void order_add_heir(struct shard_order *order, uint8_t listener, uint8_t from)
{
	order->listeners[order->listener_count++] =
		(struct shard_listener){.listener = listener, .from = {from, LISTENER_NONE}, .fds = {-1, -1}};
}
