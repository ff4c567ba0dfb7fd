#include "kubernetes/publish.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { POLL_S = 1, DELAY_MAX_S = 10, LINE_SIZE = 1024, NODE_PAGE = 20, NODE_PAGES_MAX = 100 };

struct publisher {
	const struct publish_params *params;
	struct kube_api *api;
	struct kube_object_name service, configmap; /* complete */
	FILE *out, *err;
	uint64_t started_ns;
	unsigned delay_s;     /* before the next try; grows while tries fail */
	char told[LINE_SIZE]; /* the line on `err` that was told last: told once, not with each try */
};

struct public_address {
	char host[KUBE_HOST_SIZE];
	uint16_t port;
};

static void tell(struct publisher *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct publisher *p, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (strcmp(line, p->told) == 0)
		return;
	memcpy(p->told, line, sizeof line);
	fprintf(p->err, "uturn: %s\n", line);
	fflush(p->err);
}

static uint64_t elapsed_s(const struct publisher *p)
{
	return (clock_mono_ns() - p->started_ns) / NS_PER_S / UTURN_CLOCK_RATE;
}

/* False: there is no time left for another try. */
static bool pause_before_next(struct publisher *p, bool failed)
{
	p->delay_s = !failed ? POLL_S : p->delay_s >= DELAY_MAX_S / 2 ? DELAY_MAX_S : p->delay_s * 2;
	if (elapsed_s(p) + p->delay_s > p->params->timeout_s)
		return false;
	const struct timespec delay = {.tv_sec = p->delay_s};
	nanosleep(&delay, NULL);
	return true;
}

/* What a request needs, for the line that says it is missing. */
struct request {
	enum kube_method method;
	const char *path;
	const char *body;
	const char *what;     /* "Service default/stunner" */
	const char *resource; /* for RBAC: "services" */
	bool cluster_wide;    /* … in a ClusterRole */
};

static void tell_refusal(struct publisher *p, const struct request *r, const struct kube_answer *answer)
{
	char message[KUBE_MESSAGE_SIZE];
	const char *verb = r->method == KUBE_MERGE_PATCH ? "patch" : r->cluster_wide ? "list" : "get";
	kube_status_read(answer->body, message);
	switch (answer->status) {
	case 401:
		tell(p, "%s: the API server does not accept the token in %.200s (401): is it this cluster's, and not expired?",
			r->what, p->params->api.folder);
		break;
	case 403:
		tell(p,
			"%s: not allowed (403): the service account lacks a %s with apiGroups [\"\"], resources [\"%s\"], verbs "
			"[\"%s\"]: %s",
			r->what, r->cluster_wide ? "ClusterRole" : "Role", r->resource, verb, message);
		break;
	case 404:
		tell(p, "%s: there is none (404): create it, or name another", r->what);
		break;
	default:
		tell(p, "%s: the API server answers %d: %s", r->what, answer->status, message);
	}
}

/* The body of a good answer, to be freed; NULL after a line on `err`. */
static char *ask(struct publisher *p, const struct request *r)
{
	char error[KUBE_ERROR_SIZE];
	struct kube_answer answer;
	if (!kube_api_ask(p->api, r->method, r->path, r->body, &answer, error)) {
		tell(p, "%s: %s", r->what, error);
		return NULL;
	}
	if (answer.status >= 200 && answer.status < 300)
		return answer.body;
	tell_refusal(p, r, &answer);
	free(answer.body);
	return NULL;
}

static bool ask_service(struct publisher *p, struct kube_service *ret_service)
{
	char path[600], what[600];
	snprintf(path, sizeof path, "/api/v1/namespaces/%s/services/%s", p->service.namespace, p->service.name);
	snprintf(what, sizeof what, "Service %s/%s", p->service.namespace, p->service.name);
	char *body = ask(p, &(struct request){.path = path, .what = what, .resource = "services"});
	bool good = body != NULL && kube_service_read(body, ret_service);
	if (body != NULL && !good)
		tell(p, "%s: the API server's answer is not a Service", what);
	free(body);
	return good;
}

/* A few at a time: nodes are large objects, and the memory of a Job is small. */
static bool ask_nodes(struct publisher *p, struct kube_node *ret_node)
{
	char path[sizeof "/api/v1/nodes?limit=&continue=" + 16 + KUBE_CONTINUE_SIZE], next[KUBE_CONTINUE_SIZE] = "";
	*ret_node = (struct kube_node){0};
	for (int page = 0; page < NODE_PAGES_MAX && ret_node->rank != NODE_EXTERNAL_READY; page++) {
		snprintf(path, sizeof path, "/api/v1/nodes?limit=%d%s%s", NODE_PAGE, *next ? "&continue=" : "", next);
		char *body = ask(p, &(struct request){.path = path, .what = "Nodes", .resource = "nodes", .cluster_wide = true});
		bool good = body != NULL && kube_nodes_read(body, ret_node, next);
		if (body != NULL && !good)
			tell(p, "Nodes: the API server's answer is not a list of them");
		free(body);
		if (!good)
			return false;
		if (*next == '\0')
			break;
	}
	if (ret_node->rank == NODE_NONE)
		tell(p, "Nodes: none has an address yet");
	return ret_node->rank != NODE_NONE;
}

/* The node's port instead of a load balancer's. */
static bool use_node(struct publisher *p, const struct kube_service *service, struct public_address *ret_address)
{
	struct kube_node node;
	if (service->node_port == 0) {
		tell(p, "Service %s/%s: it has no nodePort: make it of type LoadBalancer or NodePort (it is %s)",
			p->service.namespace, p->service.name, service->type);
		return false;
	}
	if (!ask_nodes(p, &node))
		return false;
	if (node.rank < NODE_EXTERNAL)
		tell(p, "no node has an ExternalIP: taking the InternalIP %s, which clients outside may not reach", node.ip);
	snprintf(ret_address->host, sizeof ret_address->host, "%s", node.ip);
	ret_address->port = service->node_port;
	return true;
}

enum found { FOUND, NOT_YET, FAILED };

static enum found look(struct publisher *p, struct public_address *ret_address)
{
	struct kube_service service;
	if (!ask_service(p, &service))
		return FAILED;
	if (service.port == 0) {
		tell(p, "Service %s/%s: it has no port", p->service.namespace, p->service.name);
		return FAILED;
	}
	if (service.ingress[0] != '\0') {
		snprintf(ret_address->host, sizeof ret_address->host, "%s", service.ingress);
		ret_address->port = service.port;
		return FOUND;
	}
	bool balanced = strcmp(service.type, "LoadBalancer") == 0;
	if (balanced && elapsed_s(p) < p->params->wait_s) {
		tell(p, "Service %s/%s: its load balancer has no address yet; waiting for it for up to %u s", p->service.namespace,
			p->service.name, p->params->wait_s);
		return NOT_YET;
	}
	if (!use_node(p, &service, ret_address))
		return FAILED;
	fprintf(p->out, "Service %s/%s has no load balancer%s: taking a node's address and the nodePort\n", p->service.namespace,
		p->service.name, balanced ? " with an address" : "");
	return FOUND;
}

static bool write_down(struct publisher *p, const struct public_address *address)
{
	char path[600], what[600];
	snprintf(path, sizeof path, "/api/v1/namespaces/%s/configmaps/%s", p->configmap.namespace, p->configmap.name);
	snprintf(what, sizeof what, "ConfigMap %s/%s", p->configmap.namespace, p->configmap.name);
	char *patch = kube_public_address_patch(address->host, address->port);
	if (patch == NULL) {
		tell(p, "%s: not enough memory", what);
		return false;
	}
	char *body = ask(p,
		&(struct request){.method = KUBE_MERGE_PATCH, .path = path, .body = patch, .what = what, .resource = "configmaps"});
	free(patch);
	free(body);
	if (body != NULL)
		fprintf(p->out, "%s has them now\n", what);
	return body != NULL;
}

/* The namespace that the pod runs in. */
static bool read_namespace(const struct publisher *p, char ret_namespace[static KUBE_NAME_SIZE])
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/namespace", p->params->api.folder);
	FILE *file = fopen(path, "re");
	size_t size = file == NULL ? 0 : fread(ret_namespace, 1, KUBE_NAME_SIZE - 1, file);
	if (file != NULL)
		fclose(file);
	ret_namespace[size] = '\0';
	ret_namespace[strcspn(ret_namespace, "\r\n")] = '\0';
	return kube_name_valid(ret_namespace, strlen(ret_namespace));
}

static bool complete_names(struct publisher *p)
{
	p->service = p->params->service;
	p->configmap = p->params->configmap;
	if (p->service.namespace[0] == '\0' && !read_namespace(p, p->service.namespace)) {
		tell(p, "no namespace: name it, as in NAMESPACE/%s, or run in a pod with a service account", p->service.name);
		return false;
	}
	if (p->configmap.namespace[0] == '\0')
		memcpy(p->configmap.namespace, p->service.namespace, sizeof p->configmap.namespace);
	return true;
}

static bool run(struct publisher *p)
{
	struct public_address address;
	enum found found;
	while ((found = look(p, &address)) != FOUND)
		if (!pause_before_next(p, found == FAILED))
			return false;
	fprintf(p->out, "STUNNER_PUBLIC_ADDR=%s\nSTUNNER_PUBLIC_PORT=%u\n", address.host, address.port);
	fflush(p->out);
	p->delay_s = POLL_S;
	while (!write_down(p, &address))
		if (!pause_before_next(p, true))
			return false;
	return true;
}

/* The first process of a container gets no signal that it does not catch. */
static void leave(int signal)
{
	(void)signal;
	_exit(1);
}

int publish_address(const struct publish_params *params, FILE *out, FILE *err)
{
	struct publisher p = {.params = params, .out = out, .err = err, .started_ns = clock_mono_ns(), .delay_s = POLL_S};
	char error[KUBE_ERROR_SIZE];
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	signal(SIGPIPE, SIG_IGN);
	if (!complete_names(&p))
		return 1;
	p.api = kube_api_open(&params->api, error);
	if (p.api == NULL) {
		tell(&p, "%s", error);
		return 1;
	}
	bool good = run(&p);
	kube_api_close(p.api);
	if (!good)
		tell(&p, "gave up after %u s; what was in the way is above", params->timeout_s);
	fflush(out);
	return good ? 0 : 1;
}
