/*
 * turn_client - the few requests that a load needs: Allocate with long-term credentials, CreatePermission, ChannelBind.
 *
 * Blocking, one request at a time, three tries of a second each. Over a connected UDP socket.
 */
#ifndef UTURN_BENCH_QUICK_TURN_CLIENT_H
#define UTURN_BENCH_QUICK_TURN_CLIENT_H

#include "crypto/credentials.h"
#include "crypto/integrity.h"

struct turn_client {
	int fd;
	const char *username, *password;
	char realm[128], nonce[256];
	uint8_t key[LONG_TERM_KEY_SIZE];
	struct addr relayed;
};

/* Each: true on success; otherwise a line on stderr says what the server answered. */
bool turn_client_allocate(struct turn_client *client);
bool turn_client_permit(struct turn_client *client, const struct addr *peer);
bool turn_client_bind(struct turn_client *client, uint16_t channel, const struct addr *peer);

#endif
