/*
 * config_document - the text of a configuration as a tree, with its variables replaced: JSON where it begins with { or [, YAML
 * otherwise.
 */
#ifndef UTURN_SERVER_CONFIG_DOCUMENT_H
#define UTURN_SERVER_CONFIG_DOCUMENT_H

#include "server/config.h"
#include "server/config_value.h"

struct config_document {
	struct config_value *root; /* an object */
	enum config_dialect dialect;
};

/* False after problems were added. */
bool config_document_parse(const char *source, const char *text, size_t size, const struct config_world *world,
	struct config_problems *problems, struct config_document *ret_document);
void config_document_free(struct config_document *document);

/* As the loaders of server/config, which it is the heart of. */
struct config *config_load_document(const char *source, const struct config_document *document, const struct config_world *world,
	struct config_problems *problems);

/* It has neither listeners nor clusters: what a config discovery service says of a gateway that is gone. */
bool config_document_is_zero(const struct config_document *document);

#endif
