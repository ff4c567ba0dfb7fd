/*
 * fuzz_turncat - what a server, a discovery service and a command line may say to a tunnel. The first byte chooses: a gateway's
 * configuration, the arguments, or a server's answers. Each answer is a byte of how much time passes before it, its length, and the
 * message; its method and transaction ID become the request's, so that more than the first look is tried.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/turn_client.h"
#include "fuzz_rig.h"
#include "turncat/cds_config.h"

enum { TEXT_MAX = 4096, MESSAGES_MAX = 32 };

static void check_host(const struct spec_host *host)
{
	FUZZ_CHECK(memchr(host->name, '\0', sizeof host->name) != NULL);
	FUZZ_CHECK(strpbrk(host->name, "/?# \r\n") == NULL);
}

static void try_config(const uint8_t *data, size_t size)
{
	static const struct spec_server wanted = {.k8s = true, .namespace = "ns", .gateway = "gw", .listener = "l"};
	struct cds_server server;
	struct failure failure;
	if (!cds_config_parse(bytes_of(data, size), &wanted, &server, &failure))
		return;
	check_host(&server.host);
	FUZZ_CHECK(server.host.name[0] != '\0' && server.host.port != 0);
	FUZZ_CHECK((server.secret[0] != '\0') != (server.username[0] != '\0' && server.password[0] != '\0'));
}

static void try_arguments(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX];
	struct spec_local local;
	struct spec_server server;
	struct spec_host peer;
	struct failure failure;
	uint32_t seconds;
	size = size < sizeof text - 1 ? size : sizeof text - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (spec_parse_server(text, &server, &failure)) {
		check_host(&server.host);
		FUZZ_CHECK(!server.k8s || (spec_is_name(server.gateway) && spec_is_name(server.listener)));
		FUZZ_CHECK(server.k8s || server.host.port != 0);
	}
	if (spec_parse_peer(text, &peer, &failure))
		check_host(&peer);
	if (spec_parse_local(text, &local, &failure) && local.kind != SPEC_UNIX && local.kind != SPEC_STDIO)
		FUZZ_CHECK(local.addr.port != 0);
	if (spec_parse_duration(text, &seconds))
		FUZZ_CHECK(seconds > 0);
}

static void answer(struct turn_client *client, const uint8_t *data, size_t size, const uint8_t *request, uint64_t now_ns)
{
	uint8_t *message = malloc(size > 0 ? size : 1);
	if (message == NULL)
		return;
	memcpy(message, data, size);
	if (size >= STUN_HEADER_SIZE) {
		/* Of the type the class is the fuzzer's, the method the request's. */
		message[0] = (uint8_t)((message[0] & 1) | (request[0] & 0x3e));
		message[1] = (uint8_t)((message[1] & 0x10) | (request[1] & 0xef));
		memcpy(message + 4, request + 4, STUN_HEADER_SIZE - 4);
		fuzz_repair_header(message, size);
	}
	if (turn_client_takes(bytes_of(message, size)))
		turn_client_receive(client, bytes_of(message, size), now_ns);
	free(message);
}

static void try_answers(const uint8_t *data, size_t size)
{
	struct turn_client client;
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	uint8_t request[TURN_CLIENT_MESSAGE_MAX] = {0};
	uint64_t now_ns = NS_PER_S, wake_ns;
	if (peer == NULL)
		return;
	*peer = (struct turn_client_peer){.addr = addr_ipv4(192, 0, 2, 1, 9), .channel = TURN_CLIENT_CHANNEL_MIN};
	turn_client_init(&client, "user", "pass", peer, 1);
	for (int i = 0; i < MESSAGES_MAX && size >= 3; i++) {
		size_t length = (size_t)data[1] << 8 | data[2], steps = data[0] & 3;
		now_ns += steps * NS_PER_S * 100;
		data += 3;
		size -= 3;
		length = length < size ? length : size;
		turn_client_poll(&client, now_ns, request, &wake_ns);
		answer(&client, data, length, request, now_ns);
		data += length;
		size -= length;
		FUZZ_CHECK(client.state != TURN_CLIENT_FAILED || client.failure.text[0] != '\0');
	}
	turn_client_farewell(&client, request);
	turn_client_done(&client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		try_config(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		try_arguments(data + 1, size - 1);
	else
		try_answers(data + 1, size - 1);
	return 0;
}
