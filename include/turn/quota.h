/*
 * quota - how many allocations each user has, and all of them together. A table without a clock, a lock or a socket.
 *
 * Users are 64-bit keyed hashes of their names. Bounded by the capacity.
 * Threads: one at a time; the shards share one object behind the hooks of turn.h, which lock.
 */
#ifndef UTURN_TURN_QUOTA_H
#define UTURN_TURN_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota;

/* `capacity` is how many allocations there can be at all; it also bounds the table's size. NULL: no memory. */
struct quota *quota_create(uint32_t capacity);
void quota_free(struct quota *quota);

/* How many there can be from now on, clipped to what quota_create was given. quota_set_total_max comes after it. */
void quota_set_capacity(struct quota *quota, uint32_t capacity);
/* 0: no limit per user. Live allocations are never cut by a lower limit. */
void quota_set_user_max(struct quota *quota, uint32_t user_max);
/* What the operator allows all users together, clipped to the capacity; 0: no more than that. */
void quota_set_total_max(struct quota *quota, uint32_t total_max);

/* The first two are limits that somebody set (486), the third is what the machine can hold (508). */
enum quota_result { QUOTA_OK, QUOTA_USER_REACHED, QUOTA_TOTAL_REACHED, QUOTA_CAPACITY_REACHED };
enum quota_result quota_acquire(struct quota *quota, uint64_t user);
void quota_release(struct quota *quota, uint64_t user);
uint32_t quota_total(const struct quota *quota);

#endif
