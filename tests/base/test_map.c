#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/map.h"

static bool contains(const struct map *map, uint64_t hash, uint32_t value)
{
	uint32_t it;
	for (uint32_t v = map_first(map, hash, &it); v != MAP_NONE; v = map_next(map, hash, &it))
		if (v == value)
			return true;
	return false;
}

static unsigned count(const struct map *map, uint64_t hash)
{
	uint32_t it;
	unsigned found = 0;
	for (uint32_t v = map_first(map, hash, &it); v != MAP_NONE; v = map_next(map, hash, &it))
		found++;
	return found;
}

Test(map, finds_nothing_in_an_empty_table)
{
	struct map map;
	uint32_t it;
	cr_assert_eq(map_init(&map, 8), 0);
	cr_assert_eq(map_first(&map, 0, &it), MAP_NONE);
	cr_assert_eq(map_first(&map, UINT64_MAX, &it), MAP_NONE);
	cr_assert_not(map_remove(&map, 0, 0));
	map_done(&map);
}

Test(map, keeps_hash_zero_and_the_extreme_values)
{
	struct map map;
	cr_assert_eq(map_init(&map, 8), 0);
	cr_assert(map_insert(&map, 0, 0));
	cr_assert(map_insert(&map, UINT64_MAX, MAP_NONE - 1));
	cr_assert(contains(&map, 0, 0));
	cr_assert(contains(&map, UINT64_MAX, MAP_NONE - 1));
	cr_assert(map_remove(&map, 0, 0));
	cr_assert_eq(count(&map, 0), 0);
	cr_assert(contains(&map, UINT64_MAX, MAP_NONE - 1));
	map_done(&map);
}

Test(map, walks_every_entry_with_the_same_hash)
{
	struct map map;
	cr_assert_eq(map_init(&map, 8), 0);
	for (uint32_t value = 0; value < 5; value++)
		cr_assert(map_insert(&map, 77, value));
	cr_assert(map_insert(&map, 78, 9));
	cr_assert_eq(count(&map, 77), 5);
	for (uint32_t value = 0; value < 5; value++)
		cr_assert(contains(&map, 77, value));
	cr_assert(map_remove(&map, 77, 2));
	cr_assert_not(map_remove(&map, 77, 2));
	cr_assert_eq(count(&map, 77), 4);
	cr_assert_not(contains(&map, 77, 2));
	cr_assert(contains(&map, 78, 9));
	map_done(&map);
}

Test(map, refuses_more_than_its_capacity_and_takes_again_after_a_removal)
{
	struct map map;
	cr_assert_eq(map_init(&map, 3), 0);
	for (uint32_t value = 0; value < 3; value++)
		cr_assert(map_insert(&map, value, value));
	cr_assert_not(map_insert(&map, 3, 3));
	cr_assert_eq(count(&map, 3), 0);
	cr_assert(map_remove(&map, 1, 1));
	cr_assert(map_insert(&map, 3, 3));
	cr_assert(contains(&map, 3, 3));
	map_done(&map);
}

Test(map, holds_nothing_when_made_for_nothing)
{
	struct map map;
	uint32_t it;
	cr_assert_eq(map_init(&map, 0), 0);
	cr_assert_not(map_insert(&map, 1, 1));
	cr_assert_eq(map_first(&map, 1, &it), MAP_NONE);
	map_done(&map);
}

/* Few homes, at both ends of the table, so that long runs form, wrap around and are cut. */
static uint64_t crowded_hash(unsigned key)
{
	static const uint64_t homes[] = {0, 1, 126, 127, 128, UINT64_C(0x100000001)};
	return homes[key % 6] + (uint64_t)(key % 3) * 128;
}

static void run_against_a_model(uint64_t (*hash_of)(unsigned key), uint32_t capacity, unsigned keys, unsigned steps)
{
	struct map map;
	bool *present = calloc(keys, sizeof *present);
	uint32_t used = 0;
	cr_assert_eq(map_init(&map, capacity), 0);
	srand(4711);
	for (unsigned step = 0; step < steps; step++) {
		unsigned key = (unsigned)rand() % keys;
		if (present[key]) {
			cr_assert(map_remove(&map, hash_of(key), key));
			used--;
		} else {
			cr_assert_eq(map_insert(&map, hash_of(key), key), used < capacity);
			if (used == capacity)
				continue;
			used++;
		}
		present[key] = !present[key];
		cr_assert_eq(map.used, used);
		for (unsigned k = 0; step % 16 == 0 && k < keys; k++)
			cr_assert_eq(contains(&map, hash_of(k), k), present[k], "step %u, key %u", step, k);
	}
	free(present);
	map_done(&map);
}

static uint64_t spread_hash(unsigned key)
{
	return (key + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}

Test(map, agrees_with_a_model_when_hashes_collide)
{
	run_against_a_model(crowded_hash, 60, 80, 20000);
}

Test(map, agrees_with_a_model_when_hashes_are_spread)
{
	run_against_a_model(spread_hash, 500, 600, 20000);
}
