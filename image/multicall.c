/*
 * multicall - the one program of the container image: the relay, or the tool that it is called as.
 */
#include <string.h>

struct program {
	const char *name;
	int (*main)(int argc, char **argv);
};

/* Made by multicall.py: the declarations, and the table of what there is, the relay first. */
#include "multicall_programs.h"

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (strcmp(name, programs[i].name) == 0)
			return programs[i].main(argc, argv);
	return programs[0].main(argc, argv);
}
