/*
 * orders - orders for shards under test: a configuration, and sockets for its listeners.
 */
#ifndef UTURN_TESTS_SHARD_ORDERS_H
#define UTURN_TESTS_SHARD_ORDERS_H

#include "shard/shard.h"

/* References are taken. Without `streams` every listener is plain UDP. */
struct shard_order *order_create(struct turn_config *config, struct stream_config *streams);
/* An IPv4 socket for this listener. */
void order_add_socket(struct shard_order *order, uint8_t listener, int fd);
/* It takes over that of another one. */
void order_add_heir(struct shard_order *order, uint8_t listener, uint8_t from);

#endif
