#include "turn/quota.h"

#include <assert.h>
#include <stdlib.h>

/* A user with at least one allocation; `allocations` 0 marks a free place. */
struct user {
	uint64_t hash;
	uint32_t allocations;
};

/* Open addressing with linear probing; the table is never more than half full. */
struct quota {
	uint32_t total;
	uint32_t room;      /* what the table was made for */
	uint32_t capacity;  /* at most that */
	uint32_t total_max; /* 0: none */
	uint32_t user_max;
	size_t mask; /* places - 1 */
	struct user users[];
};

struct quota *quota_create(uint32_t capacity)
{
	size_t places = 2;
	while (places < (size_t)capacity * 2)
		places *= 2;
	struct quota *quota = calloc(1, sizeof *quota + places * sizeof quota->users[0]);
	if (!quota)
		return NULL;
	quota->room = quota->capacity = capacity;
	quota->mask = places - 1;
	return quota;
}

void quota_free(struct quota *quota)
{
	free(quota);
}

void quota_set_capacity(struct quota *quota, uint32_t capacity)
{
	quota->capacity = capacity < quota->room ? capacity : quota->room;
}

void quota_set_user_max(struct quota *quota, uint32_t user_max)
{
	quota->user_max = user_max;
}

void quota_set_total_max(struct quota *quota, uint32_t total_max)
{
	quota->total_max = total_max < quota->capacity ? total_max : quota->capacity;
}

/* The user's place, or the free one where it belongs. */
static size_t find(const struct quota *quota, uint64_t hash)
{
	size_t place = hash & quota->mask;
	while (quota->users[place].allocations && quota->users[place].hash != hash)
		place = (place + 1) & quota->mask;
	return place;
}

/* Moves later entries of the run up, so that no search stops at the hole. */
static void remove_at(struct quota *quota, size_t hole)
{
	for (size_t place = (hole + 1) & quota->mask; quota->users[place].allocations; place = (place + 1) & quota->mask) {
		size_t home = quota->users[place].hash & quota->mask;
		/* An entry may move back to the hole unless its home lies behind it. */
		if (((place - home) & quota->mask) >= ((place - hole) & quota->mask)) {
			quota->users[hole] = quota->users[place];
			hole = place;
		}
	}
	quota->users[hole] = (struct user){0};
}

enum quota_result quota_acquire(struct quota *quota, uint64_t user)
{
	struct user *u = &quota->users[find(quota, user)];
	if (quota->user_max && u->allocations >= quota->user_max)
		return QUOTA_USER_REACHED;
	if (quota->total_max && quota->total >= quota->total_max)
		return QUOTA_TOTAL_REACHED;
	if (quota->total >= quota->capacity)
		return QUOTA_CAPACITY_REACHED;
	u->hash = user;
	u->allocations++;
	quota->total++;
	return QUOTA_OK;
}

void quota_release(struct quota *quota, uint64_t user)
{
	size_t place = find(quota, user);
	assert(quota->users[place].allocations > 0);
	assert(quota->total > 0);
	quota->total--;
	if (--quota->users[place].allocations == 0)
		remove_at(quota, place);
}

uint32_t quota_total(const struct quota *quota)
{
	return quota->total;
}
