#include "compare_rig.h"

#include <math.h>

struct series series_of(enum figure figure, const double *values, unsigned count)
{
	struct series series = {0};
	for (unsigned i = 0; i < count; i++) {
		double figures[FIGURES];
		for (int other = 0; other < FIGURES; other++)
			figures[other] = NAN;
		figures[figure] = values[i];
		series_add(&series, figures, false);
	}
	return series;
}
