#include "load/script.h"

#include <stdlib.h>

void script_free(struct script *s)
{
	free(s->paths);
	free(s->packets);
	*s = (struct script){0};
}
