/*
 * config_identity - the certificates of a listener with their keys, as PEM texts: read when the configuration is loaded, so that
 * they are part of it and a reload can compare them.
 *
 * Three forms name one: the PEM text itself, base64 of it (stunnerd's), or the name of a file with PEM in it.
 *
 * Owns:     the texts, on the heap. References count; the last one to go wipes them.
 * Bounds:   CONFIG_PEM_SIZE_MAX bytes each.
 * Threads:  one.
 */
#ifndef UTURN_SERVER_CONFIG_IDENTITY_H
#define UTURN_SERVER_CONFIG_IDENTITY_H

#include "tls/context.h"

enum { CONFIG_PEM_SIZE_MAX = 1 << 20 };

struct config_pem {
	char *text;  /* NULL: not given */
	char *file;  /* where it was read; NULL: it stood in the document */
	size_t size; /* of the text, without its NUL */
};

struct config_identity {
	struct config_pem certificates; /* the leaf first */
	struct config_pem key;
};

struct config_identities {
	unsigned references;
	bool named_directly; /* the first one is the listener's own `cert` and `key`, the others are its `certificates` */
	size_t count;
	struct config_identity list[TLS_IDENTITIES_MAX];
};

/* With one reference, empty. NULL: no memory. */
struct config_identities *config_identities_create(void);
struct config_identities *config_identities_ref(struct config_identities *identities); /* NULL stays NULL */
void config_identities_unref(struct config_identities *identities);                    /* NULL is fine */

/* The same certificates and keys; whatever the places that they came from. NULL is equal to NULL only. */
bool config_identities_equal(const struct config_identities *a, const struct config_identities *b);
/* Read from the same files. */
bool config_identities_same_files(const struct config_identities *a, const struct config_identities *b);

enum { CONFIG_IDENTITY_PATH_SIZE = 32 };

/* Where identity N stands in its listener: "cert", "certificates[2].cert". Returns `text`. */
const char *config_identity_path(const struct config_identities *identities, size_t n, char text[static CONFIG_IDENTITY_PATH_SIZE]);

enum { CONFIG_PEM_ERROR_SIZE = 384 };

/*
 * What a document says, to PEM. Relative file names start at `folder` ("": the working directory). False: ret_error says what is
 * wrong and what would be right. It shows no part of what may be a key.
 */
bool config_pem_read(
	const char *value, const char *folder, struct config_pem *ret_pem, char ret_error[static CONFIG_PEM_ERROR_SIZE]);
void config_pem_free(struct config_pem *pem); /* wipes it */

#endif
