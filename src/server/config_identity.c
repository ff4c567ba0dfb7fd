#include "server/config_identity.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/config_file.h"

static const char pem_mark[] = "-----BEGIN ";

struct config_identities *config_identities_create(void)
{
	struct config_identities *identities = calloc(1, sizeof *identities);
	if (identities != NULL)
		identities->references = 1;
	return identities;
}

struct config_identities *config_identities_ref(struct config_identities *identities)
{
	if (identities != NULL)
		identities->references++;
	return identities;
}

void config_identities_unref(struct config_identities *identities)
{
	if (identities == NULL)
		return;
	assert(identities->references > 0);
	if (--identities->references > 0)
		return;
	for (size_t i = 0; i < identities->count; i++) {
		config_pem_free(&identities->list[i].certificates);
		config_pem_free(&identities->list[i].key);
	}
	free(identities);
}

void config_pem_free(struct config_pem *pem)
{
	if (pem->text != NULL)
		bytes_wipe(pem->text, pem->size);
	free(pem->text);
	free(pem->file);
	*pem = (struct config_pem){0};
}

static bool texts_equal(const struct config_pem *a, const struct config_pem *b)
{
	return bytes_equal(bytes_of(a->text, a->size), bytes_of(b->text, b->size));
}

static bool files_equal(const struct config_pem *a, const struct config_pem *b)
{
	return a->file == NULL || b->file == NULL ? a->file == b->file : strcmp(a->file, b->file) == 0;
}

static bool all_equal(const struct config_identities *a, const struct config_identities *b,
	bool (*equal)(const struct config_pem *, const struct config_pem *))
{
	if (a == NULL || b == NULL || a->count != b->count)
		return a == b;
	for (size_t i = 0; i < a->count; i++)
		if (!equal(&a->list[i].certificates, &b->list[i].certificates) || !equal(&a->list[i].key, &b->list[i].key))
			return false;
	return true;
}

bool config_identities_equal(const struct config_identities *a, const struct config_identities *b)
{
	return all_equal(a, b, texts_equal);
}

bool config_identities_same_files(const struct config_identities *a, const struct config_identities *b)
{
	return all_equal(a, b, files_equal);
}

const char *config_identity_path(const struct config_identities *identities, size_t n, char text[static CONFIG_IDENTITY_PATH_SIZE])
{
	if (n == 0 && identities->named_directly)
		snprintf(text, CONFIG_IDENTITY_PATH_SIZE, "cert");
	else
		snprintf(text, CONFIG_IDENTITY_PATH_SIZE, "certificates[%u].cert", (unsigned)n - identities->named_directly);
	return text;
}

/* The value of a digit of base64 (RFC 4648 Section 4); -1 for anything else. */
static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(digits, c);
	return found == NULL ? -1 : (int)(found - digits);
}

/* Spaces and line ends between the digits are skipped. False: it is no base64. `ret_bytes` has room for 3 bytes per 4 of `text`. */
static bool base64_decode(const char *text, char *ret_bytes, size_t *ret_size)
{
	uint32_t bits = 0;
	size_t digits = 0, padding = 0, size = 0;
	for (; *text != '\0'; text++) {
		if (strchr(" \t\r\n", *text) != NULL)
			continue;
		int digit = *text == '=' ? 0 : base64_digit(*text);
		if (digit < 0 || (padding > 0 && *text != '='))
			return false;
		padding += *text == '=';
		bits = bits << 6 | (uint32_t)digit;
		if (++digits % 4 != 0)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			ret_bytes[size++] = (char)(bits >> shift & 0xff);
	}
	if (digits == 0 || digits % 4 != 0 || padding > 2)
		return false;
	*ret_size = size - padding;
	return true;
}

static bool no_memory(char ret_error[static CONFIG_PEM_ERROR_SIZE])
{
	snprintf(ret_error, CONFIG_PEM_ERROR_SIZE, "out of memory");
	return false;
}

/* A key in a wrong form is not taken for the name of a file: messages show those. */
static bool may_be_file_name(const char *value)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\r";
	enum { NAME_LIKE_BASE64_MAX = 96 };
	return strchr(value, '\n') == NULL && (strlen(value) <= NAME_LIKE_BASE64_MAX || value[strspn(value, digits)] != '\0');
}

static bool read_file(
	const char *name, const char *folder, struct config_pem *ret_pem, char ret_error[static CONFIG_PEM_ERROR_SIZE])
{
	struct config_pem pem = {0};
	char path[PATH_MAX];
	int error = 0;
	bool relative = name[0] != '/' && folder[0] != '\0';
	struct stat status;
	int length = snprintf(path, sizeof path, "%s%s%s", relative ? folder : "", relative ? "/" : "", name);
	if (length < 0 || (size_t)length >= sizeof path) {
		snprintf(ret_error, CONFIG_PEM_ERROR_SIZE, "is too long for the name of a file: use one of at most %d bytes",
			PATH_MAX - 1);
		return false;
	}
	/* A pipe, say, could keep us waiting. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		snprintf(ret_error, CONFIG_PEM_ERROR_SIZE, "%.200s is not a regular file: name a file of PEM", path);
		return false;
	}
	pem.text = config_file_read(path, CONFIG_PEM_SIZE_MAX, &pem.size, &error);
	if (pem.text == NULL) {
		snprintf(ret_error, CONFIG_PEM_ERROR_SIZE,
			"%.200s cannot be read: %s: name a readable file of PEM, or use the PEM text or base64 of it", path,
			strerror(error));
		return false;
	}
	if (strstr(pem.text, pem_mark) == NULL) {
		config_pem_free(&pem);
		snprintf(ret_error, CONFIG_PEM_ERROR_SIZE, "%.200s has no PEM in it: use a file with -----BEGIN … lines", path);
		return false;
	}
	pem.file = strdup(path);
	if (pem.file == NULL) {
		config_pem_free(&pem);
		return no_memory(ret_error);
	}
	*ret_pem = pem;
	return true;
}

bool config_pem_read(
	const char *value, const char *folder, struct config_pem *ret_pem, char ret_error[static CONFIG_PEM_ERROR_SIZE])
{
	size_t size = strlen(value), decoded = 0;
	if (size > 2 * CONFIG_PEM_SIZE_MAX) {
		snprintf(ret_error, CONFIG_PEM_ERROR_SIZE, "%zu bytes are too many: use at most %d", size, 2 * CONFIG_PEM_SIZE_MAX);
		return false;
	}
	struct config_pem pem = {.text = malloc(size + 1), .size = size};
	if (pem.text == NULL)
		return no_memory(ret_error);
	memcpy(pem.text, value, size + 1);
	bool is_pem = strstr(value, pem_mark) != NULL, is_base64 = !is_pem && base64_decode(value, pem.text, &decoded);
	if (is_base64) {
		bytes_wipe(pem.text + decoded, size + 1 - decoded);
		is_pem = strstr(pem.text, pem_mark) != NULL;
	}
	if (is_pem) {
		pem.size = is_base64 ? decoded : size;
		*ret_pem = pem;
		return true;
	}
	config_pem_free(&pem);
	if (may_be_file_name(value))
		return read_file(value, folder, ret_pem, ret_error);
	snprintf(ret_error, CONFIG_PEM_ERROR_SIZE,
		"is neither PEM nor base64 of it: give the whole text with its -----BEGIN … line, or the name of a file");
	return false;
}
