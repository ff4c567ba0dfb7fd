/*
 * turn_policy_rig - peer policies from one line of text, and what they should say about an address in every way it can be asked.
 */
#ifndef UTURN_TESTS_TURN_POLICY_RIG_H
#define UTURN_TESTS_TURN_POLICY_RIG_H

#include "turn/peer_policy.h"
#include "turn_addresses.h"

/* Blank-separated routes "PREFIX" or "PREFIX:MIN-MAX" (ports; 0-65535 when not given); the n-th is cluster n - 1. */
struct peer_policy *unsealed_policy_of(const char *routes);
struct peer_policy *policy_of(const char *routes);

/* For the address, and for ports all over the range. */
void expect_admitted(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name);
void expect_refused(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name);

#endif
