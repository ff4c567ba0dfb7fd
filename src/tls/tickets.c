/*
 * RFC 5077 Section 4's ticket, as libssl builds it around AES-256-CBC and HMAC-SHA-256: which key is all that is decided here.
 */
#include "tickets.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

#include "context_private.h"
#include "crypto/random.h"

enum { KEY_SIZE = 32, IV_SIZE = 16 };

struct ticket_key {
	uint8_t name[TICKETS_NAME_SIZE];
	uint8_t cipher[KEY_SIZE];
	uint8_t mac[KEY_SIZE];
};

struct tls_tickets {
	pthread_mutex_t lock;
	struct random_source random;
	struct ticket_key keys[TICKETS_KEYS]; /* the newest first */
	unsigned count;
	uint64_t turned_s; /* when the newest was due */
	EVP_CIPHER *cipher;
};

/* The oldest is forgotten. */
static void add_key(struct tls_tickets *tickets)
{
	memmove(&tickets->keys[1], &tickets->keys[0], (TICKETS_KEYS - 1) * sizeof *tickets->keys);
	random_bytes(&tickets->random, &tickets->keys[0], sizeof *tickets->keys);
	if (tickets->count < TICKETS_KEYS)
		tickets->count++;
}

struct tls_tickets *tls_tickets_create(uint64_t now_s)
{
	tls_library_init();
	struct tls_tickets *tickets = calloc(1, sizeof *tickets);
	if (tickets == NULL)
		return NULL;
	tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (tickets->cipher == NULL || pthread_mutex_init(&tickets->lock, NULL) != 0) {
		EVP_CIPHER_free(tickets->cipher);
		free(tickets);
		return NULL;
	}
	tickets->turned_s = now_s;
	add_key(tickets);
	return tickets;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
	if (tickets == NULL)
		return;
	EVP_CIPHER_free(tickets->cipher);
	pthread_mutex_destroy(&tickets->lock);
	bytes_wipe(tickets, sizeof *tickets);
	free(tickets);
}

bool tls_tickets_renew(struct tls_tickets *tickets, uint64_t now_s)
{
	pthread_mutex_lock(&tickets->lock);
	/* A clock that was set back must not keep a key in use for as long as it takes to catch up. */
	if (now_s < tickets->turned_s)
		tickets->turned_s = now_s;
	uint64_t turns = (now_s - tickets->turned_s) / TICKETS_TURN_S;
	tickets->turned_s += turns * TICKETS_TURN_S;
	for (uint64_t i = 0; i < turns && i < TICKETS_KEYS; i++)
		add_key(tickets);
	pthread_mutex_unlock(&tickets->lock);
	return turns > 0;
}

static int find_key(const struct tls_tickets *tickets, const unsigned char *name)
{
	for (unsigned i = 0; i < tickets->count; i++)
		if (memcmp(tickets->keys[i].name, name, TICKETS_NAME_SIZE) == 0)
			return (int)i;
	return -1;
}

static bool use_key(const struct tls_tickets *tickets, const struct ticket_key *key, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, KEY_SIZE),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex2(cipher, tickets->cipher, key->cipher, iv, seal, NULL) == 1;
}

int tls_tickets_key(struct tls_tickets *tickets, unsigned char name[static TICKETS_NAME_SIZE], unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
	struct ticket_key key = {0};
	pthread_mutex_lock(&tickets->lock);
	int place = seal ? 0 : find_key(tickets, name);
	if (place >= 0)
		key = tickets->keys[place];
	if (seal)
		random_bytes(&tickets->random, iv, IV_SIZE);
	pthread_mutex_unlock(&tickets->lock);
	if (place < 0)
		return 0;
	if (seal)
		memcpy(name, key.name, TICKETS_NAME_SIZE);
	bool used = use_key(tickets, &key, iv, cipher, mac, seal);
	bytes_wipe(&key, sizeof key);
	return !used ? -1 : place == 0 ? 1 : 2;
}
