/*
 * config_origin - where a configuration comes from, as -c and STUNNER_CONFIG_ORIGIN name it: a file, or a config discovery service
 * (CDS), which STUNner's operator runs.
 */
#ifndef UTURN_SERVER_CONFIG_ORIGIN_H
#define UTURN_SERVER_CONFIG_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/config.h"

enum { CDS_PORT_DEFAULT = 13478, CDS_ID_SIZE = 512, CDS_NODE_SIZE = 256, CDS_PATH_SIZE = 3 * (CDS_ID_SIZE + CDS_NODE_SIZE) + 64 };

/* One configuration of one service. */
struct cds_source {
	char host[CONFIG_HOST_SIZE]; /* a name or an IP address, without brackets */
	uint16_t port;
	bool secure;              /* TLS */
	char id[CDS_ID_SIZE];     /* "namespace/name" */
	char node[CDS_NODE_SIZE]; /* the node that we run on; "": not known */
	const char *ca_file;      /* whose certificates are trusted; NULL: the system's */
};

struct config_origin {
	const char *file; /* inside the text that was parsed; NULL: a service */
	struct cds_source cds;
};

/*
 * "file:///etc/uturn.yaml", "/etc/uturn.yaml", "10.0.0.1:13478", ":13478", "http://…", "https://…", "ws://…", "wss://…". What could
 * be both is a file when there is one. NULL, or what is wrong and would be right. The service's identity stays empty.
 */
const char *config_origin_parse(const char *text, struct config_origin *ret_origin);

/* The service inside this cluster, which "k8s" stands for. Empty `host`, `space`, `port`: STUNner's own. NULL, or what is wrong. */
const char *config_origin_in_cluster(const char *host, const char *space, const char *port, struct cds_source *ret_cds);

/* "namespace/name", both there. */
bool config_origin_id_valid(const char *id);

/* The path and query that name the configuration: "/api/v1/configs/ns/name?node=n&watch=true". */
const char *config_origin_path(const struct cds_source *cds, bool watch, char text[static CDS_PATH_SIZE]);

/* "http://10.0.0.1:13478", for people. */
enum { CDS_TEXT_SIZE = CONFIG_HOST_SIZE + 32 };
const char *config_origin_text(const struct cds_source *cds, char text[static CDS_TEXT_SIZE]);

#endif
