#include <stdlib.h>

#include "capture/capture.h"

struct part {
	const struct script *script;
	size_t next; /* packet */
	uint16_t first_path, first_allocation;
};

/* The part whose next packet comes first; of several, the first one. NULL when all are at their end. */
static struct part *earliest(struct part *parts, size_t count)
{
	struct part *first = NULL;
	for (struct part *p = parts; p < parts + count; p++)
		if (p->next < p->script->packet_count &&
			(first == NULL || p->script->packets[p->next].at_ns < first->script->packets[first->next].at_ns))
			first = p;
	return first;
}

static void place_paths(struct script *s, struct part *part)
{
	const struct script *from = part->script;
	part->first_path = (uint16_t)s->path_count;
	part->first_allocation = (uint16_t)s->allocations;
	for (size_t i = 0; i < from->path_count; i++) {
		struct script_path path = from->paths[i];
		path.allocation = (uint16_t)(path.allocation + part->first_allocation);
		s->paths[s->path_count++] = path;
	}
	s->allocations += from->allocations;
	if (from->length_ns > s->length_ns)
		s->length_ns = from->length_ns;
}

static void merge_packets(struct script *s, struct part *parts, size_t count)
{
	for (struct part *p = earliest(parts, count); p != NULL; p = earliest(parts, count)) {
		struct script_packet packet = p->script->packets[p->next++];
		packet.path = (uint16_t)(packet.path + p->first_path);
		s->packets[s->packet_count++] = packet;
	}
}

bool capture_join(const struct capture *captures, size_t count, struct script *ret_script, struct failure *failure)
{
	size_t paths = 0, packets = 0;
	for (size_t i = 0; i < count; i++) {
		paths += captures[i].script.path_count;
		packets += captures[i].script.packet_count;
	}
	if (paths > SCRIPT_PATHS_MAX || packets > SCRIPT_PACKETS_MAX)
		return fail(failure,
			"%zu captures with %zu paths and %zu packets; at most %d paths and %d packets can be replayed at once",
			count, paths, packets, SCRIPT_PATHS_MAX, SCRIPT_PACKETS_MAX);
	struct script s = {
		.paths = calloc(paths + 1, sizeof *s.paths),
		.packets = calloc(packets + 1, sizeof *s.packets),
	};
	struct part *parts = calloc(count + 1, sizeof *parts);
	if (s.paths == NULL || s.packets == NULL || parts == NULL) {
		script_free(&s);
		free(parts);
		return fail(failure, "not enough memory for a script of %zu packets", packets);
	}
	for (size_t i = 0; i < count; i++) {
		parts[i].script = &captures[i].script;
		place_paths(&s, &parts[i]);
	}
	merge_packets(&s, parts, count);
	free(parts);
	*ret_script = s;
	return true;
}
