#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

enum { FIRST_ROOM = 64 << 10 };

/* A larger block with the same contents; the old one is wiped. NULL: no memory, and the old one stays. */
static char *grow(char *text, size_t size, size_t room)
{
	char *larger = malloc(room);
	if (larger == NULL)
		return NULL;
	if (text != NULL) {
		memcpy(larger, text, size);
		bytes_wipe(text, size);
		free(text);
	}
	return larger;
}

static char *read_all(int fd, size_t size_max, size_t *ret_size, int *ret_error)
{
	size_t size = 0, room = 0;
	char *text = NULL;
	for (;;) {
		if (size + 1 >= room) {
			room = room == 0 ? FIRST_ROOM : room * 2;
			char *larger = grow(text, size, room);
			*ret_error = ENOMEM;
			if (larger == NULL)
				break;
			text = larger;
		}
		ssize_t added = read(fd, text + size, room - size - 1);
		if (added == 0) {
			text[size] = '\0';
			*ret_size = size;
			return text;
		}
		*ret_error = added < 0 ? errno : EFBIG;
		if (added < 0 && errno == EINTR)
			continue;
		size += added < 0 ? 0 : (size_t)added;
		if (added < 0 || size > size_max)
			break;
	}
	if (text != NULL)
		bytes_wipe(text, size);
	free(text);
	return NULL;
}

char *config_file_read(const char *path, size_t size_max, size_t *ret_size, int *ret_error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*ret_error = errno;
		return NULL;
	}
	char *text = read_all(fd, size_max, ret_size, ret_error);
	close(fd);
	return text;
}
