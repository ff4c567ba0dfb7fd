#include <openssl/x509v3.h>
#include <stdlib.h>
#include <strings.h>

#include "base/addr.h"
#include "identity.h"

/* RFC 6125 compares ASCII letters only; what is in a certificate may be anything, and goes to logs. */
static bool copy_name(const ASN1_STRING *text, char ret_name[static TLS_NAME_SIZE])
{
	int length = ASN1_STRING_length(text);
	const unsigned char *data = ASN1_STRING_get0_data(text);
	if (length <= 0 || length >= TLS_NAME_SIZE)
		return false;
	for (int i = 0; i < length; i++) {
		if (data[i] <= ' ' || data[i] > '~')
			return false;
		ret_name[i] = (char)(data[i] >= 'A' && data[i] <= 'Z' ? data[i] - 'A' + 'a' : data[i]);
	}
	ret_name[length] = 0;
	return true;
}

static void copy_ip(const ASN1_OCTET_STRING *octets, char ret_name[static TLS_NAME_SIZE])
{
	int length = ASN1_STRING_length(octets);
	struct addr addr = {.family = length == 4 ? ADDR_IPV4 : length == 16 ? ADDR_IPV6 : ADDR_NONE};
	char text[ADDR_TEXT_SIZE];
	memcpy(addr.ip, ASN1_STRING_get0_data(octets), addr_ip_size(&addr));
	if (addr.family != ADDR_NONE)
		strcpy(ret_name, addr_format_ip(&addr, text));
}

static void take_common_name(struct tls_identity *identity)
{
	X509_NAME *subject = X509_get_subject_name(identity->leaf);
	int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (place >= 0 && !copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)), identity->name))
		identity->name[0] = 0;
}

bool tls_identity_read_names(struct tls_identity *identity)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(identity->leaf, NID_subject_alt_name, NULL, NULL);
	int count = list != NULL ? sk_GENERAL_NAME_num(list) : 0;
	identity->names = calloc((size_t)count + 1, sizeof *identity->names);
	for (int i = 0; identity->names != NULL && i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
		if (name->type == GEN_DNS && copy_name(name->d.dNSName, identity->names[identity->name_count]))
			identity->name_count++;
		else if (name->type == GEN_IPADD && identity->name[0] == 0)
			copy_ip(name->d.iPAddress, identity->name);
	}
	GENERAL_NAMES_free(list);
	if (identity->name_count > 0)
		strcpy(identity->name, identity->names[0]);
	else if (identity->name[0] == 0)
		take_common_name(identity);
	return identity->names != NULL;
}

static bool has_name(const struct tls_identity *identity, const char *name)
{
	for (size_t i = 0; i < identity->name_count; i++)
		if (strcmp(identity->names[i], name) == 0)
			return true;
	return false;
}

static bool has_names_of(const struct tls_identity *a, const struct tls_identity *b)
{
	for (size_t i = 0; i < b->name_count; i++)
		if (!has_name(a, b->names[i]))
			return false;
	return true;
}

bool tls_identity_has_same_names(const struct tls_identity *a, const struct tls_identity *b)
{
	if (a->name_count == 0 || b->name_count == 0)
		return a->name_count == b->name_count && strcmp(a->name, b->name) == 0;
	return has_names_of(a, b) && has_names_of(b, a);
}

bool tls_identity_matches(const struct tls_identity *identity, const char *host, bool wildcards)
{
	const char *parent = strchr(host, '.');
	for (size_t i = 0; i < identity->name_count; i++) {
		const char *name = identity->names[i];
		if (!wildcards && strcasecmp(name, host) == 0)
			return true;
		if (wildcards && strncmp(name, "*.", 2) == 0 && parent != NULL && parent != host &&
			strcasecmp(name + 1, parent) == 0)
			return true;
	}
	return false;
}
