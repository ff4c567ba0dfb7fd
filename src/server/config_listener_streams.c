/* What only listeners with connections have: certificates, and proxies in front of them. */
#include <stdio.h>

#include "base/prefix_set.h"
#include "server/config_listener.h"

static void read_pem(struct config_reader *r, const struct config_value *value, struct config_pem *pem)
{
	char error[CONFIG_PEM_ERROR_SIZE];
	const char *text = config_reader_text(r, value);
	if (text != NULL && !config_pem_read(text, r->folder, pem, error))
		config_reader_error(r, "%s", error);
}

/* False: this listener has no use for certificates, or there is no memory for them. */
static bool open_identities(struct config_reader *r, struct config_listener *listener)
{
	if (!config_listener_is_secure(listener)) {
		if (config_reader_strict(r))
			config_reader_warning(r, "has no effect: a listener of protocol %s has no certificate",
				config_protocol_name(listener->protocol));
		return false;
	}
	if (listener->identities == NULL)
		listener->identities = config_identities_create();
	if (listener->identities == NULL)
		config_reader_error(r, "out of memory");
	return listener->identities != NULL;
}

static struct config_identity *direct_identity(struct config_reader *r, struct config_listener *listener)
{
	if (!open_identities(r, listener))
		return NULL;
	listener->identities->named_directly = true;
	listener->identities->count = 1;
	return &listener->identities->list[0];
}

void config_read_cert(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_identity *identity = direct_identity(r, target);
	if (identity != NULL)
		read_pem(r, value, &identity->certificates);
}

void config_read_key(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_identity *identity = direct_identity(r, target);
	if (identity != NULL)
		read_pem(r, value, &identity->key);
}

static void read_identity_cert(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	read_pem(r, value, &((struct config_identity *)target)->certificates);
}

static void read_identity_key(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	read_pem(r, value, &((struct config_identity *)target)->key);
}

static const struct config_field identity_fields[] = {
	{"cert", read_identity_cert, .dialects = IN_ALL},
	{"key", read_identity_key, .dialects = IN_ALL},
	{.name = NULL},
};

/* Comes behind `cert` and `key` in the schema: the listener's own certificate is the first. */
void config_read_certificates(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_listener *listener = target;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [{\"cert\": …, \"key\": …}, …]", config_value_kind_name(value->kind));
		return;
	}
	if (value->count == 0 || !open_identities(r, listener))
		return;
	struct config_identities *identities = listener->identities;
	if (value->count > TLS_IDENTITIES_MAX - identities->count) {
		config_reader_error(r, "there are too many: use at most %d certificates in all", TLS_IDENTITIES_MAX);
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		config_read_fields(r, &value->items[i], identity_fields, &identities->list[identities->count++]);
		config_reader_up(r, mark);
	}
}

static void read_trusted(struct config_reader *r, const struct config_value *value, struct config_listener *listener)
{
	struct addr ip;
	unsigned bits;
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	if (!prefix_parse(text, &ip, &bits))
		config_reader_error(r, "\"%s\" is not an address or prefix: use IP or IP/bits", text);
	else if (listener->proxy_trusted_count == CONFIG_PROXIES_MAX)
		config_reader_error(r, "is one too many: use at most %d", CONFIG_PROXIES_MAX);
	else
		listener->proxy_trusted[listener->proxy_trusted_count++] = (struct config_prefix){ip, bits};
}

void config_read_proxy_trusted(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		read_trusted(r, &value->items[i], target);
		config_reader_up(r, mark);
	}
}

static void check_identities(const struct config_listener *listener, enum config_dialect dialect, struct config_problems *problems)
{
	char path[64], identity[CONFIG_IDENTITY_PATH_SIZE];
	const struct config_identities *identities = listener->identities;
	if (identities == NULL && dialect != CONFIG_URI) {
		snprintf(path, sizeof path, "listeners[%u].cert", listener->document_index);
		config_error(problems, path,
			"is missing: protocol %s needs a certificate: add cert and key, each PEM, base64 of PEM or the name of a "
			"file",
			config_protocol_name(listener->protocol));
	}
	for (size_t i = 0; identities != NULL && i < identities->count; i++) {
		bool has_cert = identities->list[i].certificates.text != NULL;
		if (has_cert && identities->list[i].key.text != NULL)
			continue;
		snprintf(path, sizeof path, "listeners[%u].%s", listener->document_index,
			config_identity_path(identities, i, identity));
		if (has_cert)
			config_error(problems, path, "has no key beside it: add \"key\"");
		else
			config_error(problems, path, "is missing beside the key: add \"cert\"");
	}
}

void config_listener_check_streams(
	const struct config_listener *listener, enum config_dialect dialect, struct config_problems *problems)
{
	char path[64];
	if (config_listener_is_secure(listener))
		check_identities(listener, dialect, problems);
	snprintf(path, sizeof path, "listeners[%u].proxy_protocol", listener->document_index);
	if (listener->proxy_protocol && listener->protocol == PROTOCOL_DTLS)
		config_error(problems, path, "does not go with DTLS: use protocol udp, tcp or tls behind a proxy, or remove it");
	snprintf(path, sizeof path, "listeners[%u].proxy_trusted", listener->document_index);
	if (listener->proxy_protocol && listener->proxy_trusted_count == 0)
		config_error(problems, path,
			"is missing: name the proxies that proxy_protocol believes, as in [\"10.0.0.5\", \"10.1.0.0/24\"]");
	else if (!listener->proxy_protocol && listener->proxy_trusted_count > 0)
		config_warning(problems, path, "has no effect: proxy_protocol is off");
}
