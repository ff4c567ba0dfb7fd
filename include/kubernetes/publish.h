/*
 * publish - finds out where the outside reaches the relay, and writes it into a ConfigMap: STUNNER_PUBLIC_ADDR and
 * STUNNER_PUBLIC_PORT, which the relays, and the applications that hand out its URI, take as variables. What `uturn
 * --publish-address` does; for a Job.
 *
 * The address is that of the Service's load balancer. Where there is none within `wait_s`, or the Service has no load balancer at
 * all, it is the first node's ExternalIP, or InternalIP with a warning, and the Service's nodePort. What fails is tried again, more
 * and more slowly, until `timeout_s` is over.
 */
#ifndef UTURN_KUBERNETES_PUBLISH_H
#define UTURN_KUBERNETES_PUBLISH_H

#include <stdint.h>
#include <stdio.h>

#include "kubernetes/kube_api.h"
#include "kubernetes/kube_objects.h"

enum { PUBLISH_WAIT_DEFAULT_S = 20, PUBLISH_TIMEOUT_DEFAULT_S = 300, PUBLISH_TIMEOUT_MAX_S = 86400 };
#define PUBLISH_CONFIGMAP_DEFAULT "stunner-config"

struct kube_object_name {
	char namespace[KUBE_NAME_SIZE]; /* "": that of the pod; of a ConfigMap: that of the Service */
	char name[KUBE_NAME_SIZE];
};

struct publish_params {
	struct kube_api_params api;
	struct kube_object_name service, configmap;
	uint32_t wait_s, timeout_s;
};

/* Says what it found on `out`, and what is in the way on `err`, one line each. The exit status: 0, or 1. */
int publish_address(const struct publish_params *params, FILE *out, FILE *err);

#endif
