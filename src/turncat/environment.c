#include "turncat/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char namespace_path[] = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

const char *environment_get(const char *name)
{
	const char *value = getenv(name);
	return value != NULL && *value != '\0' ? value : NULL;
}

bool environment_in_cluster(char ret_namespace[static SPEC_NAME_SIZE])
{
	char text[SPEC_NAME_SIZE] = "";
	FILE *file = fopen(namespace_path, "re");
	if (file != NULL) {
		if (fgets(text, sizeof text, file) == NULL)
			text[0] = '\0';
		fclose(file);
		text[strcspn(text, "\n")] = '\0';
	}
	strcpy(ret_namespace, spec_is_name(text) ? text : "default");
	return environment_get("KUBERNETES_SERVICE_HOST") != NULL;
}
