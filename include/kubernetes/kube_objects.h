/*
 * kube_objects - what is read from, and written to, the Kubernetes API: Services, Nodes, ConfigMaps. Knows JSON, not HTTP.
 */
#ifndef UTURN_KUBERNETES_KUBE_OBJECTS_H
#define UTURN_KUBERNETES_KUBE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KUBE_NAME_SIZE = 254, KUBE_HOST_SIZE = 254, KUBE_MESSAGE_SIZE = 200, KUBE_CONTINUE_SIZE = 2048 };

struct kube_service {
	char type[32];                /* "LoadBalancer", "NodePort", "ClusterIP" */
	char ingress[KUBE_HOST_SIZE]; /* the load balancer's address or host name; "": none yet */
	uint16_t port, node_port;     /* of its first UDP port, of the first one where none is UDP; 0: none */
};

/* How good a node's address is, the better the greater. */
enum kube_node_rank { NODE_NONE, NODE_INTERNAL, NODE_INTERNAL_READY, NODE_EXTERNAL, NODE_EXTERNAL_READY };

struct kube_node {
	enum kube_node_rank rank;
	char ip[KUBE_HOST_SIZE]; /* NODE_NONE: "" */
};

/* The text is NUL-terminated. False: it is not such an object. */
bool kube_service_read(const char *text, struct kube_service *ret_service);
/*
 * A NodeList, or a part of one: the first of its best nodes, if that is better than what *node is; start with a zeroed one.
 * ret_continue is what asks for the next part, fit for a query; "": this was the last.
 */
bool kube_nodes_read(const char *text, struct kube_node *node, char ret_continue[static KUBE_CONTINUE_SIZE]);
/* The message of a Status, as errors have it; "" if it is none. */
void kube_status_read(const char *text, char ret_message[static KUBE_MESSAGE_SIZE]);

/* {"data":{"STUNNER_PUBLIC_ADDR":…,"STUNNER_PUBLIC_PORT":…}}, to be freed; NULL: no memory. */
char *kube_public_address_patch(const char *host, uint16_t port);

/* A name that may stand in a path: letters, digits, '-' and '.', as Kubernetes has them (RFC 1123). */
bool kube_name_valid(const char *name, size_t size);

#endif
