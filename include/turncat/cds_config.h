/*
 * cds_config - what a tunnel needs out of a gateway's configuration, as STUNner's config discovery service tells it.
 *
 * Everything in it is checked before it is used: the service is trusted to name a server, not to be well-formed.
 */
#ifndef UTURN_TURNCAT_CDS_CONFIG_H
#define UTURN_TURNCAT_CDS_CONFIG_H

#include "base/bytes.h"
#include "turncat/spec.h"

struct cds_server {
	struct spec_host host; /* the listener's public address and port, or its own where it has no public one */
	enum transport_kind transport;
	char username[SPEC_USERNAME_SIZE], password[SPEC_PASSWORD_SIZE]; /* static credentials */
	char secret[SPEC_PASSWORD_SIZE];                                 /* ephemeral ones are minted from it; empty: static */
};

/* Finds `wanted->listener` in it, by its whole name or the part behind the last '/'. False with one line. */
bool cds_config_parse(struct bytes json, const struct spec_server *wanted, struct cds_server *ret_server, struct failure *failure);

#endif
