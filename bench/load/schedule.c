#include "load/schedule.h"

#include <assert.h>
#include <stdlib.h>

bool schedule_init(struct schedule *s, uint32_t capacity)
{
	*s = (struct schedule){.capacity = capacity};
	s->entries = malloc((capacity > 0 ? capacity : 1) * sizeof *s->entries);
	return s->entries != NULL;
}

void schedule_done(struct schedule *s)
{
	free(s->entries);
	*s = (struct schedule){0};
}

void schedule_add(struct schedule *s, uint32_t player, uint64_t due_ns)
{
	assert(s->count < s->capacity);
	uint32_t place = s->count++;
	while (place > 0 && s->entries[(place - 1) / 2].due_ns > due_ns) {
		s->entries[place] = s->entries[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	s->entries[place] = (struct schedule_entry){.due_ns = due_ns, .player = player};
}

void schedule_postpone(struct schedule *s, uint64_t due_ns)
{
	struct schedule_entry entry = {.due_ns = due_ns, .player = s->entries[0].player};
	uint32_t place = 0;
	for (uint32_t child = 1; child < s->count; child = 2 * place + 1) {
		if (child + 1 < s->count && s->entries[child + 1].due_ns < s->entries[child].due_ns)
			child++;
		if (s->entries[child].due_ns >= due_ns)
			break;
		s->entries[place] = s->entries[child];
		place = child;
	}
	s->entries[place] = entry;
}
