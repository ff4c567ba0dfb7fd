#include "turncat/turncat.h"

int main(int argc, char **argv)
{
	return turncat_main(argc, argv);
}
