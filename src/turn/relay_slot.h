/*
 * relay_slot - the relay sockets as the core knows them: a slot, the address, and whose entry in the port table it is.
 *
 * Owns:     the slots, and through them entries of the shared port table: claimed before a socket is asked for, released when it is
 *           closed, refused or handed to another shard's core together with the socket.
 */
#ifndef UTURN_TURN_RELAY_SLOT_H
#define UTURN_TURN_RELAY_SLOT_H

#include "turn_state.h"

/* NULL when all are taken. */
struct relay *relay_slot_take(struct turn *t);

/* NULL when the reference is stale or never was one. */
struct relay *relay_slot_resolve(const struct turn *t, struct relay_ref ref);
struct relay_ref relay_slot_ref(const struct turn *t, const struct relay *relay);

/* The socket is to be closed (one effect). A socket that is still on its way from another shard is closed once it has come. */
void relay_slot_close(struct turn *t, struct relay *relay, struct turn_out *out);

/* There is no socket: it could not be had. */
void relay_slot_failed(struct turn *t, struct relay *relay);

/* The socket, and with it the port, is somebody else's from now on. */
void relay_slot_forget(struct turn *t, struct relay *relay);

#endif
