#include "server/config_identity.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pem_files.h"

static const char *folder;
static char error[CONFIG_PEM_ERROR_SIZE];

static void open_folder(void)
{
	folder = pem_files_open();
}

TestSuite(config_identity, .init = open_folder, .fini = pem_files_close);

/* Through an exact-size copy. */
static bool read_pem(const char *value, const char *from, struct config_pem *pem)
{
	char *copy = malloc(strlen(value) + 1);
	cr_assert_not_null(copy);
	memcpy(copy, value, strlen(value) + 1);
	*pem = (struct config_pem){0};
	error[0] = '\0';
	bool taken = config_pem_read(copy, from, pem, error);
	free(copy);
	cr_assert_eq(taken, error[0] == '\0');
	cr_assert_eq(taken, pem->text != NULL);
	return taken;
}

Test(config_identity, takes_pem_as_it_is)
{
	struct config_pem pem;
	const char *text = "# a comment\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	cr_assert(read_pem(text, "", &pem));
	cr_assert_str_eq(pem.text, text);
	cr_assert_eq(pem.size, strlen(text));
	cr_assert_null(pem.file);
	config_pem_free(&pem);
	cr_assert_null(pem.text);
}

Test(config_identity, takes_base64_of_pem)
{
	/* Of "-----BEGIN A-----\n", …\nx", …\nxy": without padding, with two and with one; and broken into lines. */
	static const struct {
		const char *base64, *text;
	} cases[] = {
		{"LS0tLS1CRUdJTiBBLS0tLS0K", "-----BEGIN A-----\n"},
		{"LS0tLS1CRUdJTiBBLS0tLS0KeA==", "-----BEGIN A-----\nx"},
		{"LS0tLS1CRUdJTiBBLS0tLS0KeHk=", "-----BEGIN A-----\nxy"},
		{"LS0tLS1CRUdJTiBB\nLS0t LS0K\r\neHk=\n", "-----BEGIN A-----\nxy"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_pem pem;
		cr_assert(read_pem(cases[i].base64, "", &pem), "%s: %s", cases[i].base64, error);
		cr_assert_str_eq(pem.text, cases[i].text);
		cr_assert_eq(pem.size, strlen(cases[i].text));
		config_pem_free(&pem);
	}
}

Test(config_identity, takes_the_name_of_a_file_beside_the_configuration)
{
	struct config_pem pem;
	char absolute[PATH_MAX];
	strcpy(absolute, pem_files_put("tls.crt", "-----BEGIN X-----\n"));
	cr_assert(read_pem("tls.crt", folder, &pem), "%s", error);
	cr_assert_str_eq(pem.text, "-----BEGIN X-----\n");
	cr_assert_str_eq(pem.file, absolute);
	config_pem_free(&pem);
	cr_assert(read_pem(absolute, "/nowhere", &pem), "%s", error);
	cr_assert_str_eq(pem.file, absolute);
	config_pem_free(&pem);
	cr_assert_eq(chdir(folder), 0);
	cr_assert(read_pem("tls.crt", "", &pem), "%s", error);
	cr_assert_str_eq(pem.file, "tls.crt");
	config_pem_free(&pem);
}

Test(config_identity, takes_a_name_that_could_be_base64)
{
	struct config_pem pem;
	pem_files_put("privkeys", "-----BEGIN X-----\n");
	cr_assert(read_pem("privkeys", folder, &pem), "%s", error);
	config_pem_free(&pem);
}

Test(config_identity, names_a_file_that_is_of_no_use)
{
	struct config_pem pem;
	char expected[CONFIG_PEM_ERROR_SIZE];
	cr_assert_not(read_pem("none.pem", folder, &pem));
	snprintf(expected, sizeof expected,
		"%s/none.pem cannot be read: No such file or directory: name a readable file of PEM, or use the PEM text or base64 "
		"of "
		"it",
		folder);
	cr_assert_str_eq(error, expected);
	cr_assert_not(read_pem("/", folder, &pem));
	cr_assert_str_eq(error, "/ is not a regular file: name a file of PEM");
	pem_files_put("der.crt", "0\x82");
	cr_assert_not(read_pem("der.crt", folder, &pem));
	snprintf(expected, sizeof expected, "%s/der.crt has no PEM in it: use a file with -----BEGIN … lines", folder);
	cr_assert_str_eq(error, expected);
}

Test(config_identity, bounds_files_and_values)
{
	enum { SIZE = 2 * CONFIG_PEM_SIZE_MAX + 2 };
	struct config_pem pem;
	char *text = calloc(1, SIZE);
	memset(text, ' ', CONFIG_PEM_SIZE_MAX);
	memcpy(text, "-----BEGIN X", 12);
	pem_files_put("full.pem", text);
	cr_assert(read_pem("full.pem", folder, &pem), "%s", error);
	cr_assert_eq(pem.size, CONFIG_PEM_SIZE_MAX);
	config_pem_free(&pem);
	text[CONFIG_PEM_SIZE_MAX] = ' ';
	pem_files_put("over.pem", text);
	cr_assert_not(read_pem("over.pem", folder, &pem));
	cr_assert_not_null(strstr(error, "over.pem cannot be read: File too large: "), "%s", error);
	memset(text, ' ', SIZE - 1);
	memcpy(text, "-----BEGIN X", 12);
	cr_assert_not(read_pem(text, folder, &pem));
	cr_assert_str_eq(error, "2097153 bytes are too many: use at most 2097152");
	free(text);
}

Test(config_identity, shows_nothing_of_what_may_be_a_key)
{
	char value[5000] = "";
	struct config_pem pem;
	const char *const keys[] = {
		/* base64 of DER; that with something missing; lines without their head; far too long for a name */
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRET",
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETx",
		"SECRET\nSECRET.\n",
		value,
	};
	for (size_t i = 0; i < sizeof value / 7; i++)
		strcat(value, "SECRET.");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		cr_assert_not(read_pem(keys[i], folder, &pem));
		cr_assert_null(strstr(error, "SECRET"), "%s", error);
	}
}

static struct config_identities *identities_of(const char *cert, const char *key)
{
	struct config_identities *identities = config_identities_create();
	cr_assert_not_null(identities);
	cr_assert(read_pem(cert, folder, &identities->list[0].certificates), "%s", error);
	cr_assert(read_pem(key, folder, &identities->list[0].key), "%s", error);
	identities->count = 1;
	return identities;
}

Test(config_identity, is_equal_when_the_texts_are)
{
	pem_files_put("a", "-----BEGIN A");
	pem_files_put("b", "-----BEGIN A");
	struct config_identities *a = identities_of("a", "-----BEGIN K"), *other;
	other = identities_of("a", "-----BEGIN K");
	cr_expect(config_identities_equal(a, other));
	config_identities_unref(other);
	static const struct {
		const char *cert, *key;
		bool equal, same_files;
	} others[] = {
		{"b", "-----BEGIN K", true, false},
		{"-----BEGIN A", "-----BEGIN K", true, false},
		{"a", "-----BEGIN L", false, true},
		{"a", "-----BEGIN KK", false, true},
		{"a", "a", false, false},
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		other = identities_of(others[i].cert, others[i].key);
		cr_expect_eq(config_identities_equal(a, other), others[i].equal, "case %zu", i);
		cr_expect_eq(config_identities_same_files(a, other), others[i].same_files, "case %zu", i);
		config_identities_unref(other);
	}
	pem_files_put("a", "-----BEGIN A, renewed");
	other = identities_of("a", "-----BEGIN K");
	cr_expect_not(config_identities_equal(a, other));
	config_identities_unref(other);
	cr_expect_not(config_identities_equal(a, NULL));
	cr_expect(config_identities_equal(NULL, NULL));
	config_identities_unref(a);
}

Test(config_identity, lives_until_its_last_reference_goes)
{
	struct config_identities *identities = identities_of("-----BEGIN A", "-----BEGIN K");
	cr_assert_eq(config_identities_ref(identities), identities);
	config_identities_unref(identities);
	cr_assert_str_eq(identities->list[0].key.text, "-----BEGIN K");
	config_identities_unref(identities);
	config_identities_unref(config_identities_ref(NULL));
}

Test(config_identity, knows_where_it_stands)
{
	char text[CONFIG_IDENTITY_PATH_SIZE];
	struct config_identities direct = {.named_directly = true}, listed = {0};
	cr_expect_str_eq(config_identity_path(&direct, 0, text), "cert");
	cr_expect_str_eq(config_identity_path(&direct, 1, text), "certificates[0].cert");
	cr_expect_str_eq(config_identity_path(&listed, 0, text), "certificates[0].cert");
	cr_expect_str_eq(config_identity_path(&listed, 15, text), "certificates[15].cert");
}
