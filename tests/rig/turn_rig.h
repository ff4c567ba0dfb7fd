/*
 * turn_rig - one or several TURN cores on a fake clock and a fake kernel, and the clients and peers that talk to them. No sockets.
 *
 * The rig performs the cores' effects at once (or when told to), checks every invariant after every step (turn_check), and hands
 * datagrams over as exact-size heap copies, so that a sanitizer sees any read past their end. Usable from fuzzers: no Criterion.
 *
 *	struct rig *rig = rig_create();
 *	struct rig_client *alice = rig_client(rig, 1);
 *	cr_assert_eq(rig_allocate(rig, alice), STUN_OK);
 *	cr_assert_eq(rig_channel_bind(rig, alice, 0x4001, rig_peer(1)), STUN_OK);
 *	cr_assert_eq(rig_channel_data(rig, alice, 0x4001, "hi"), FORWARD_TO_PEER);
 */
#ifndef UTURN_TESTS_TURN_RIG_H
#define UTURN_TESTS_TURN_RIG_H

#include "turn/turn.h"
#include "wire/stun_view.h"

enum { RIG_CORES = 2, RIG_CLIENTS = 80, RIG_SOCKETS = 1024, RIG_EFFECTS = 64 };

/* What requests return besides error codes. */
enum { RIG_NO_ANSWER = -1 };

struct rig_options {
	unsigned cores;                           /* 0: one */
	uint32_t allocations_max;                 /* of each core; 0: 16 */
	uint32_t user_max;                        /* quota; 0: none */
	uint32_t total_max;                       /* quota; 0: 1000 */
	void (*edit)(struct turn_config *config); /* changes the defaults below; NULL: none */
};

/* A relay socket in the fake kernel. */
struct rig_socket {
	bool open, receiving;
	unsigned core;
	struct relay_ref ref;
	struct addr bound;
};

struct rig_client {
	struct flow flow;
	unsigned core;
	const char *username, *password;
	const char *realm; /* what it believes; NULL: as challenged */
	char challenged_realm[REALM_SIZE_MAX + 1];
	char nonce[NONCE_SIZE + 1];
	bool challenged;
	bool fingerprint;
	uint64_t transactions;
	struct addr relayed; /* of its last successful Allocate */
	uint8_t token[RESERVATION_TOKEN_SIZE];
	bool has_token; /* ditto */
};

struct rig {
	struct turn *cores[RIG_CORES];
	unsigned core_count;
	struct moment now;
	struct turn_out out;
	struct port_table *ports;
	struct quota *quota;
	struct unauth_limiter *limiter;
	struct turn_config *config;
	struct rig_client clients[RIG_CLIENTS];
	uint64_t random_state;
	int held_quota; /* acquired and not released */

	/* The fake kernel. */
	bool hold;                      /* opened sockets are not reported until rig_report */
	unsigned fail_from, fail_count; /* which attempts to open fail, counted from 0 since rig_fail */
	enum relay_failure failure;
	unsigned opens;       /* attempts so far */
	uint8_t taken[65536]; /* ports that other programs hold */
	struct rig_socket sockets[RIG_SOCKETS];
	struct rig_task {
		unsigned core;
		struct turn_effect effect;
	} tasks[RIG_EFFECTS], held[RIG_EFFECTS];
	unsigned task_count, held_count;

	/* What came of the last step. */
	enum verdict verdict;
	struct turn_forward forward; /* its payload lies in `payload` */
	uint8_t payload[65536];
	unsigned replies;
	struct flow reply_flow;
	struct bytes reply_bytes; /* an exact-size copy */
	struct stun_view reply;
	struct bytes sent; /* the last datagram that rig_request sent; also a copy */
	unsigned closes;

	/* The binding hook. */
	unsigned bindings[3];        /* by enum binding_event */
	struct turn_binding binding; /* the last */
};

/*
 * Defaults: realm "stunner.l7mp.io", static user "user" with password "pass", listener 0 with relayed addresses 192.0.2.1 and
 * 2001:db8::1, ports 10000 to 20000, routes to 198.51.100.0/24 and 2001:db8:1::/48 (cluster 7, all ports) and to 198.18.0.0/16
 * (cluster 8, ports 5000 to 6000; cluster 9, port 7000); unauthenticated answers without limit. The clock starts at 1000 s;
 * 1,700,000,000 s on the wall.
 */
struct rig *rig_create(void);
struct rig *rig_create_with(const struct rig_options *options);
/* Frees the cores, and asserts that they gave everything back: ports, quota. */
void rig_free(struct rig *rig);

/* A copy of the present configuration to edit and give to rig_configure; policies are shared. */
struct turn_config *rig_config_copy(const struct rig *rig);
void rig_configure(struct rig *rig, struct turn_config *config, bool revoke); /* takes the reference */
/* A policy that admits the rig's first two routes, except that of IPv4 if `without_ipv4`. */
struct peer_policy *rig_policy(bool without_ipv4);

/* Client n: 203.0.113.n, port 40000 + n, on core n % cores; knows the right credentials. */
struct rig_client *rig_client(struct rig *rig, unsigned n);
struct addr rig_peer(unsigned n);      /* 198.51.100.n:7000 + n */
struct addr rig_peer_ipv6(unsigned n); /* [2001:db8:1::n]:7000 + n */

/* A request in the making: add attributes with stun_build_…(&message.builder, …). Not to be copied. */
struct rig_message {
	uint8_t bytes[2048];
	struct stun_builder builder;
};
void rig_begin(struct rig_message *message, struct rig_client *client, enum stun_method method);
void rig_add_u8_24(struct rig_message *message, uint16_t type, uint8_t value); /* one byte and three reserved ones */

/* Signs with the client's credentials (asking for a nonce first if need be), sends. Returns STUN_OK, an error code, or
 * RIG_NO_ANSWER. */
int rig_request(struct rig *rig, struct rig_client *client, struct rig_message *message);
/* The same without MESSAGE-INTEGRITY. */
int rig_request_unsigned(struct rig *rig, struct rig_client *client, struct rig_message *message);
/* Any bytes. */
int rig_datagram(struct rig *rig, struct rig_client *client, struct bytes datagram);
/* The last datagram that rig_request sent, once more. */
int rig_retransmit(struct rig *rig, struct rig_client *client);

int rig_allocate(struct rig *rig, struct rig_client *client);
int rig_allocate_even(struct rig *rig, struct rig_client *client, bool reserve);
int rig_allocate_reserved(struct rig *rig, struct rig_client *client, const uint8_t token[static RESERVATION_TOKEN_SIZE]);
int rig_allocate_family(struct rig *rig, struct rig_client *client, uint8_t family);
int rig_refresh(struct rig *rig, struct rig_client *client, uint32_t lifetime_s);
int rig_create_permission(struct rig *rig, struct rig_client *client, struct addr peer);
int rig_channel_bind(struct rig *rig, struct rig_client *client, uint16_t number, struct addr peer);
enum verdict rig_send(struct rig *rig, struct rig_client *client, struct addr peer, const char *text);
enum verdict rig_channel_data(struct rig *rig, struct rig_client *client, uint16_t number, const char *text);
/* A datagram at the client's relay socket. */
enum verdict rig_from_peer(struct rig *rig, struct rig_client *client, struct addr peer, struct bytes datagram);
enum verdict rig_from_peer_text(struct rig *rig, struct rig_client *client, struct addr peer, const char *text);

/* The client's connection ends. */
void rig_gone(struct rig *rig, struct rig_client *client);

/* Attributes of the last answer. */
bool rig_reply_has(const struct rig *rig, uint16_t type);
uint32_t rig_reply_u32(const struct rig *rig, uint16_t type);
struct addr rig_reply_addr(const struct rig *rig, uint16_t type);
/* Is it signed, and by this client's key? */
bool rig_reply_signed(const struct rig *rig, const struct rig_client *client);

/* Time passes; what expires does. */
void rig_pass_s(struct rig *rig, uint64_t seconds);
void rig_pass_ns(struct rig *rig, uint64_t ns);

/* The next attempts to open a socket: `first` of them as ever, then `count` that fail. */
void rig_fail(struct rig *rig, unsigned first, unsigned count, enum relay_failure failure);
/* Performs what `hold` kept back. */
void rig_report(struct rig *rig);

unsigned rig_sockets_open(const struct rig *rig);
const struct rig_socket *rig_socket_at(const struct rig *rig, const struct addr *bound);
unsigned rig_ports_live(const struct rig *rig);

/* Sums up all state of all cores and of what they share, counters apart: a refused request changes nothing here. */
uint64_t rig_digest(const struct rig *rig);

#endif
