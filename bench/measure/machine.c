#include "measure/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void copy_text(char *to, size_t size, const char *from, size_t from_size)
{
	if (from_size > size - 1)
		from_size = size - 1;
	memcpy(to, from, from_size);
	to[from_size] = '\0';
}

/*
 * What stands behind the first `mark` of the first line of `path` that begins with `name`, without quotes; "unknown" where nothing
 * does.
 */
static void read_value(const char *path, const char *name, char mark, char *ret_text, size_t size)
{
	copy_text(ret_text, size, "unknown", strlen("unknown"));
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	char line[1024];
	while (fgets(line, sizeof line, file) != NULL) {
		const char *value = strncmp(line, name, strlen(name)) == 0 ? strchr(line, mark) : NULL;
		if (value == NULL)
			continue;
		value += 1 + strspn(value + 1, " \t\"");
		copy_text(ret_text, size, value, strcspn(value, "\"\n"));
		break;
	}
	fclose(file);
}

static void read_line(const char *path, char *ret_text, size_t size)
{
	copy_text(ret_text, size, "unknown", strlen("unknown"));
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	char line[256];
	if (fgets(line, sizeof line, file) != NULL)
		copy_text(ret_text, size, line, strcspn(line, "\n"));
	fclose(file);
}

static unsigned count_cores(void)
{
	cpu_set_t cores;
	if (sched_getaffinity(0, sizeof cores, &cores) == 0)
		return (unsigned)CPU_COUNT(&cores);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

void machine_describe(struct machine *ret_machine)
{
	struct machine machine = {.cores = count_cores()};
	struct utsname kernel;
	const char *model = "unknown";
	if (uname(&kernel) == 0) {
		snprintf(machine.kernel, sizeof machine.kernel, "%s %s", kernel.release, kernel.version);
		model = kernel.machine;
	}
	read_value("/proc/cpuinfo", "model name", ':', machine.processor, sizeof machine.processor);
	/* Only some architectures name a model. */
	if (strcmp(machine.processor, "unknown") == 0)
		snprintf(machine.processor, sizeof machine.processor, "%s", model);
	read_value("/etc/os-release", "PRETTY_NAME=", '=', machine.distribution, sizeof machine.distribution);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", machine.clock_source,
		sizeof machine.clock_source);
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
	if (pages > 0 && page_size > 0)
		machine.memory_bytes = (uint64_t)pages * (uint64_t)page_size;
	if (getloadavg(&machine.load_average, 1) != 1)
		machine.load_average = 0;
	*ret_machine = machine;
}
