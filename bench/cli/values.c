#include "cli/values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18 };

bool value_whole(const char *text, uint64_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > DIGITS_MAX || text[digits] != '\0')
		return false;
	*ret_number = strtoull(text, NULL, 10);
	return true;
}

bool value_real(const char *text, double *ret_number)
{
	size_t digits = strspn(text, "0123456789.");
	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	char *end;
	double number = strtod(text, &end);
	if (end != text + digits)
		return false;
	if (strcmp(end, "k") == 0)
		number *= 1e3;
	else if (strcmp(end, "M") == 0)
		number *= 1e6;
	else if (*end != '\0')
		return false;
	*ret_number = number;
	return true;
}

bool value_cores(const char *text, cpu_set_t *ret_cores)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	char part[16];
	const char *left = text;
	while (*left != '\0') {
		if (!value_next(&left, part, sizeof part))
			return false;
		char *dash = strchr(part, '-');
		if (dash)
			*dash = '\0';
		uint64_t first, last;
		if (!value_whole(part, &first) || !value_whole(dash ? dash + 1 : part, &last))
			return false;
		if (first > last || last >= CPU_SETSIZE)
			return false;
		for (uint64_t core = first; core <= last; core++)
			CPU_SET(core, &cores);
	}
	if (CPU_COUNT(&cores) == 0)
		return false;
	*ret_cores = cores;
	return true;
}

const char *cores_format(const cpu_set_t *cores, char *text, size_t size)
{
	size_t used = 0;
	snprintf(text, size, "none");
	for (unsigned first = 0; first < CPU_SETSIZE; first++) {
		if (!CPU_ISSET(first, cores))
			continue;
		unsigned last = first;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cores))
			last++;
		const char *comma = used ? "," : "";
		int wrote = first == last ? snprintf(text + used, size - used, "%s%u", comma, first)
					  : snprintf(text + used, size - used, "%s%u-%u", comma, first, last);
		if (wrote < 0 || (size_t)wrote >= size - used)
			break;
		used += (size_t)wrote;
		first = last;
	}
	return text;
}

bool value_next(const char **list, char *part, size_t size)
{
	size_t length = strcspn(*list, ",");
	if (length == 0 || length >= size)
		return false;
	memcpy(part, *list, length);
	part[length] = '\0';
	*list += length;
	/* A comma at the end promises a part that is not there; the next call refuses it. */
	if (**list == ',' && (*list)[1] != '\0')
		++*list;
	return true;
}
