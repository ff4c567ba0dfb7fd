/*
 * options_publish - the part of the command line that is about the public address in a Kubernetes cluster: `uturn
 * --publish-address`.
 */
#ifndef UTURN_SERVER_OPTIONS_PUBLISH_H
#define UTURN_SERVER_OPTIONS_PUBLISH_H

#include <argp.h>

#include "kubernetes/publish.h"

struct options_publish {
	bool asked;
	struct publish_params params; /* but for the API server's address */
	const char *beside;           /* an option that means something beside --publish-address only; NULL: none */
	const char *subject, *wrong;  /* wrong usage; NULL: none */
};

/* A child parser; its input is a struct options_publish, which it fills with the defaults first. */
extern const struct argp options_publish_argp;

#endif
