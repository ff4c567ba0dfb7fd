#include "crypto/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/log.h"

static void from_kernel(uint8_t *out, size_t size)
{
	while (size) {
		ssize_t got = getrandom(out, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			log_error(LOG_SERVER, "getrandom: %s", strerror(errno));
			abort();
		}
		out += got;
		size -= (size_t)got;
	}
}

void random_bytes(struct random_source *source, void *out, size_t size)
{
	assert(source->left <= sizeof source->pool);
	if (size > sizeof source->pool) {
		from_kernel(out, size);
		return;
	}
	if (size > source->left) {
		/* What is left is overwritten, not given out: nobody needs to count it. */
		from_kernel(source->pool, sizeof source->pool);
		source->left = sizeof source->pool;
	}
	if (!size)
		return;
	source->left -= size;
	memcpy(out, source->pool + source->left, size);
	bytes_wipe(source->pool + source->left, size);
}
