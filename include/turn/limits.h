/*
 * limits - every bound of the TURN core, with its reason and what happens when it is reached.
 */
#ifndef UTURN_TURN_LIMITS_H
#define UTURN_TURN_LIMITS_H

enum {
	/* A large conference in a mesh names some hundred peer addresses. Beyond it: 508. */
	LIMIT_PERMISSIONS_PER_ALLOCATION = 256,

	/* As for permissions. Beyond it: 508. */
	LIMIT_CHANNELS_PER_ALLOCATION = 256,

	/* A request that names more peers gets 508. */
	LIMIT_PEERS_PER_REQUEST = 32,

	/* Shared by the allocations of a shard, per allocation on average; beyond it: 508. Address space only until used. */
	LIMIT_PERMISSIONS_PER_ALLOCATION_MEAN = 8,
	LIMIT_CHANNELS_PER_ALLOCATION_MEAN = 8,

	/* Unclaimed EVEN-PORT reservations of a shard, each with a socket of its own: this many, and no more than one for eight
	 * allocations that the shard can hold. Beyond it: 508. */
	LIMIT_RESERVATIONS = 256,
	LIMIT_ALLOCATIONS_PER_RESERVATION = 8,

	/* Permissions and channels that a shard has room for however few allocations it may hold, so that one of them cannot
	 * take all. */
	LIMIT_TABLE_MIN = 16384,

	/* Random relay ports that are tried for one allocation before its range is searched from a random place on. */
	LIMIT_PORT_TRIES = 16,

	/* Ports that other programs turn out to hold during that search, before the answer is 508: each costs a system call. */
	LIMIT_PORT_SEARCH = 256,

	/* Listeners, those that retire included, and distinct clusters that get counters of their own; clusters past it are counted
	 * together. */
	LIMIT_LISTENERS = 64,
	LIMIT_CLUSTERS = 1024,
};

/* RFC 8656 Sections 3.2, 9, 12, 7.2 */
enum {
	ALLOCATION_LIFETIME_DEFAULT_S = 600,
	ALLOCATION_LIFETIME_MAX_S = 3600,
	PERMISSION_LIFETIME_S = 300,
	CHANNEL_LIFETIME_S = 600,
	RESERVATION_LIFETIME_S = 30,
};

/* How long a relay socket may take to open (or to come from another shard) before its Allocate is forgotten. */
enum { OPENING_LIFETIME_S = 30 };

#endif
