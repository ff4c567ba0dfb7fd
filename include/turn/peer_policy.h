/*
 * peer_policy - which peers the clients of one listener may reach: the one function that decides, for CreatePermission,
 * ChannelBind, Send and every packet to and from a peer.
 *
 * The rule: the address is made canonical (base/addr), then the most specific prefix wins. Prefixes come from the clusters that
 * the listener routes to (with port ranges) and from the built-in deny list (IANA special-purpose blocks, cloud metadata
 * addresses); on the same length the configuration wins. Among the allowing prefixes that the deny list does not overrule, port
 * ranges add up. Before any of that: the server's own listeners and admin ports are refused always; a live relayed address of
 * this server is admitted always (the other allocation's permission then decides).
 *
 * Lifetime: immutable once sealed, reference-counted (atomically), because a permission keeps the policy it was granted under: a
 *           removed route ends with the permission, not in the middle of a call.
 */
#ifndef UTURN_TURN_PEER_POLICY_H
#define UTURN_TURN_PEER_POLICY_H

#include "base/addr.h"
#include "turn/limits.h"

/* Counters that are shared: by clusters beyond the limit and by live relayed addresses of this server that no cluster holds. */
enum { PEER_CLUSTER_OTHER = LIMIT_CLUSTERS - 1 };

struct peer_policy;
struct port_table;

/* With one reference. NULL: no memory. */
struct peer_policy *peer_policy_create(void);

/*
 * One endpoint of a cluster. Ports inclusive; port 0 never takes part. `cluster` is the cluster's counter (less than
 * LIMIT_CLUSTERS). 0 or -ENOMEM.
 */
int peer_policy_allow(
	struct peer_policy *policy, const struct addr *ip, unsigned bits, uint16_t port_min, uint16_t port_max, uint16_t cluster);

/* An address and port of the server itself: refused always. An `any` address (of either family: sockets may be dual stack) stands
 * for each of the machine's own addresses, which `peer_policy_own_ip` names, and for loopback. 0 or -ENOMEM. */
int peer_policy_own_endpoint(struct peer_policy *policy, const struct addr *endpoint);
int peer_policy_own_ip(struct peer_policy *policy, const struct addr *ip);

/* Is this very address on the built-in deny list, as metadata services are, not just a block that it is in? `ip` is canonical. */
bool peer_policy_denies_itself(const struct addr *ip);

void peer_policy_seal(struct peer_policy *policy);
struct peer_policy *peer_policy_ref(struct peer_policy *policy);
void peer_policy_unref(struct peer_policy *policy); /* NULL is fine */

struct peer_grant {
	/* Whose counters: the cluster's that the most specific prefix admitting the port belongs to; the first route's among
	 * equal ones. */
	uint16_t cluster;
	/* A range around the asked port on which the answer is the same. Empty (min > max) when every packet must ask again. */
	uint16_t port_min, port_max;
	/* No cluster holds the address: it may be reached only at ports that are live relayed addresses of this server. */
	bool relayed_only;
};

enum peer_decision { PEER_REFUSED, PEER_ADMITTED };

/*
 * May this peer be reached? With `any_port` the question is about the IP address (CreatePermission): admitted if some port is,
 * and the range of the grant is one that holds such a port; others may be admitted beside it, so a port outside of the range is
 * asked for itself. *ret_grant is written on PEER_ADMITTED only. `ports` may be NULL (no live relayed addresses).
 */
enum peer_decision peer_policy_check(const struct peer_policy *policy, const struct port_table *ports, const struct addr *peer,
	bool any_port, struct peer_grant *ret_grant);

#endif
