#include "server/options_publish.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_ADDRESS = 0x200, KEY_CONFIGMAP, KEY_WAIT, KEY_TIMEOUT, KEY_CREDENTIALS };

/* clang-format off */
static const struct argp_option argp_options[] = {
	{"publish-address",     KEY_ADDRESS,     "[NS/]SERVICE", 0, "Find where the outside reaches this Service, write it into a ConfigMap as STUNNER_PUBLIC_ADDR and STUNNER_PUBLIC_PORT, and leave", 0},
	{"publish-configmap",   KEY_CONFIGMAP,   "[NS/]NAME",    0, "The ConfigMap; " PUBLISH_CONFIGMAP_DEFAULT " in the Service's namespace if not given", 0},
	{"publish-wait",        KEY_WAIT,        "SECONDS",      0, "How long to wait for a load balancer's address before a node's is taken; 20 if not given", 0},
	{"publish-timeout",     KEY_TIMEOUT,     "SECONDS",      0, "How long to try altogether; 300 if not given", 0},
	{"publish-credentials", KEY_CREDENTIALS, "FOLDER",       0, "The service account's files (token, ca.crt, namespace), if not where pods have them", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};
/* clang-format on */

static void fail(struct options_publish *o, const char *subject, const char *wrong)
{
	if (o->wrong != NULL)
		return;
	o->subject = subject;
	o->wrong = wrong;
}

static void set_name(struct options_publish *o, const char *text, struct kube_object_name *name)
{
	const char *slash = strchr(text, '/'), *last = slash == NULL ? text : slash + 1;
	size_t namespace_size = slash == NULL ? 0 : (size_t)(slash - text);
	*name = (struct kube_object_name){0};
	if ((slash != NULL && !kube_name_valid(text, namespace_size)) || !kube_name_valid(last, strlen(last))) {
		fail(o, text, "not the name of an object: use NAMESPACE/NAME, or NAME in the pod's own namespace");
		return;
	}
	memcpy(name->namespace, text, namespace_size);
	memcpy(name->name, last, strlen(last));
}

static void set_seconds(struct options_publish *o, const char *text, uint32_t *seconds)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value = digits > 0 && digits < 7 && text[digits] == '\0' ? strtoul(text, NULL, 10) : ULONG_MAX;
	if (value > PUBLISH_TIMEOUT_MAX_S)
		fail(o, text, "not a time: use 0 to 86400 seconds");
	else
		*seconds = (uint32_t)value;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options_publish *o = state->input;
	for (const struct argp_option *option = argp_options; option->name != NULL; option++)
		if (option->key == key && key != KEY_ADDRESS)
			o->beside = option->name;
	switch (key) {
	case ARGP_KEY_INIT:
		*o = (struct options_publish){
			.params = {.api = {.folder = KUBE_FOLDER_DEFAULT},
				.configmap = {.name = PUBLISH_CONFIGMAP_DEFAULT},
				.wait_s = PUBLISH_WAIT_DEFAULT_S,
				.timeout_s = PUBLISH_TIMEOUT_DEFAULT_S},
		};
		return 0;
	case KEY_ADDRESS:
		o->asked = true;
		set_name(o, value, &o->params.service);
		return 0;
	case KEY_CONFIGMAP:
		set_name(o, value, &o->params.configmap);
		return 0;
	case KEY_WAIT:
		set_seconds(o, value, &o->params.wait_s);
		return 0;
	case KEY_TIMEOUT:
		set_seconds(o, value, &o->params.timeout_s);
		return 0;
	case KEY_CREDENTIALS:
		o->params.api.folder = value;
		return 0;
	case ARGP_KEY_END:
		if (o->beside != NULL && !o->asked)
			fail(o, o->beside, "goes with --publish-address only");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_publish_argp = {argp_options, parse_option, NULL, NULL, NULL, NULL, NULL};
