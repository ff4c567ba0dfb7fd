/*
 * environment - what turncat learns from where it runs: variables, and the namespace of its pod.
 */
#ifndef UTURN_TURNCAT_ENVIRONMENT_H
#define UTURN_TURNCAT_ENVIRONMENT_H

#include <stdbool.h>

#include "turncat/spec.h"

/* As getenv(3), but NULL for an empty value. */
const char *environment_get(const char *name);

/* Whether this is a pod; *ret_namespace is its own then, or "default". */
bool environment_in_cluster(char ret_namespace[static SPEC_NAME_SIZE]);

#endif
