/*
 * kube_objects - what is read from, and written to, the Kubernetes API: Services, Nodes, ConfigMaps. Knows JSON, not HTTP.
 */
#ifndef UTURN_KUBERNETES_KUBE_OBJECTS_H
#define UTURN_KUBERNETES_KUBE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KUBE_NAME_SIZE = 254, KUBE_HOST_SIZE = 254, KUBE_MESSAGE_SIZE = 200 };

struct kube_service {
	char type[32];                /* "LoadBalancer", "NodePort", "ClusterIP" */
	char ingress[KUBE_HOST_SIZE]; /* the load balancer's address or host name; "": none yet */
	uint16_t port, node_port;     /* of its first UDP port, of the first one where none is UDP; 0: none */
};

struct kube_node {
	char ip[KUBE_HOST_SIZE]; /* "": there is no node with an address */
	bool external;           /* an ExternalIP; otherwise an InternalIP */
};

/* The text is NUL-terminated. False: it is not such an object. */
bool kube_service_read(const char *text, struct kube_service *ret_service);
/* A NodeList: the first node that is ready and has an ExternalIP, or else one that has, or else the same for InternalIP. */
bool kube_nodes_read(const char *text, struct kube_node *ret_node);
/* The message of a Status, as errors have it; "" if it is none. */
void kube_status_read(const char *text, char ret_message[static KUBE_MESSAGE_SIZE]);

/* {"data":{"STUNNER_PUBLIC_ADDR":…,"STUNNER_PUBLIC_PORT":…}}, to be freed; NULL: no memory. */
char *kube_public_address_patch(const char *host, uint16_t port);

/* A name that may stand in a path: letters, digits, '-' and '.', as Kubernetes has them (RFC 1123). */
bool kube_name_valid(const char *name, size_t size);

#endif
