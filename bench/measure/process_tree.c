#include "measure/process_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>

/* Each thread has the children that it started. */
static size_t add_children(pid_t pid, const char *tid, pid_t *pids, size_t count)
{
	char path[64];
	int child;
	snprintf(path, sizeof path, "/proc/%d/task/%.10s/children", (int)pid, tid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return count;
	while (count < PROCESS_TREE_MAX && fscanf(file, "%d", &child) == 1)
		pids[count++] = child;
	fclose(file);
	return count;
}

size_t process_tree(pid_t pid, pid_t ret_pids[static PROCESS_TREE_MAX])
{
	size_t count = 1;
	ret_pids[0] = pid;
	for (size_t i = 0; i < count; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/task", (int)ret_pids[i]);
		DIR *threads = opendir(path);
		if (threads == NULL)
			continue;
		for (struct dirent *entry = readdir(threads); entry != NULL; entry = readdir(threads))
			if (isdigit((unsigned char)entry->d_name[0]))
				count = add_children(ret_pids[i], entry->d_name, ret_pids, count);
		closedir(threads);
	}
	return count;
}
