/*
 * pem_files - a folder with certificates and keys in it, for one test.
 */
#ifndef UTURN_TESTS_PEM_FILES_H
#define UTURN_TESTS_PEM_FILES_H

#include <stddef.h>

/* Makes the folder; the working directory stays. Returns its path. */
const char *pem_files_open(void);
void pem_files_close(void);

/* Writes (over) a file in it. Returns its path; good until the fourth call from here. */
const char *pem_files_put(const char *name, const char *text);

/* A self-signed certificate and its key. On the heap. */
struct pem_pair {
	char *certificate, *key;
};
struct pem_pair pem_pair(const char *name, long days_from_now);
void pem_pair_free(struct pem_pair *pair);

#endif
