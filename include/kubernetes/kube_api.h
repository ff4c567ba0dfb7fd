/*
 * kube_api - requests to the Kubernetes API server, one at a time: HTTPS, the server's certificate checked against the cluster's
 * own authority, a service account's token. For commands that do one thing and leave; nothing here runs in a relay.
 *
 * Owns:    an event loop of its own, in which it waits for each answer.
 * Bounds:  KUBE_TIMEOUT_S a request, KUBE_BODY_SIZE_MAX an answer.
 * Threads: the caller's.
 */
#ifndef UTURN_KUBERNETES_KUBE_API_H
#define UTURN_KUBERNETES_KUBE_API_H

#include <stdbool.h>
#include <stddef.h>

enum { KUBE_TIMEOUT_S = 10, KUBE_BODY_SIZE_MAX = 4 << 20, KUBE_TOKEN_SIZE_MAX = 16 << 10, KUBE_ERROR_SIZE = 512 };

/* Where kubelets put the files of a pod's service account. */
#define KUBE_FOLDER_DEFAULT "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_api_params {
	const char *host, *port; /* as the variables KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT say; NULL: not set */
	const char *folder;      /* with the files token and ca.crt */
};

struct kube_api;

/* The parameters are borrowed. NULL, and one line about what is wrong and what to do. */
struct kube_api *kube_api_open(const struct kube_api_params *params, char ret_error[static KUBE_ERROR_SIZE]);
void kube_api_close(struct kube_api *api); /* NULL is fine */

enum kube_method { KUBE_GET, KUBE_MERGE_PATCH };

struct kube_answer {
	int status; /* of HTTP */
	char *body; /* NUL-terminated; the caller's to free */
	size_t size;
};

/* The token is read for each request: kubelets renew it. False, and one line: there was no answer. `body` is NULL for KUBE_GET. */
bool kube_api_ask(struct kube_api *api, enum kube_method method, const char *path, const char *body, struct kube_answer *ret_answer,
	char ret_error[static KUBE_ERROR_SIZE]);

#endif
