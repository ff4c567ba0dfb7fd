#include "compare/server_kinds.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "compare/process.h"

/* What both versions of coturn understand. The newer one has DTLS and the command line interface off unless asked. */
#define COTURN                                                                                                                     \
	"-n --listening-ip={address} --relay-ip={address} --listening-port={port} --min-port=49152 --max-port=65535 "              \
	"--allow-loopback-peers --lt-cred-mech --user={user}:{password} --realm={realm} --relay-threads=1 "                        \
	"--log-file=stdout --simple-log --pidfile={folder}/coturn.pid --userdb={folder}/coturn.db"
#define COTURN_IDENTITY "--tls-listening-port={tls_port} --cert={cert} --pkey={key}"

static const char missing_peer[] = "make it with bench/peers/prepare";

static const struct server_kind kinds[] = {
	{
		.name = "uturn-io_uring",
		.place = PROGRAM_UTURN,
		.arguments = "-c {folder}/uturn.json",
		.transports = {"", "", "", ""},
		.missing = "build it with ./dev build",
		.engine = "io_uring",
	},
	{
		.name = "uturn-epoll",
		.place = PROGRAM_UTURN,
		.arguments = "-c {folder}/uturn.json",
		.transports = {"", "", "", ""},
		.missing = "build it with ./dev build",
		.engine = "epoll",
	},
	{
		.name = "coturn",
		.place = PROGRAM_SYSTEM,
		.program = "/usr/bin/turnserver",
		.arguments = COTURN " --no-cli",
		.transports =
			{
				[TRANSPORT_UDP] = "--no-tls --no-tcp --no-dtls",
				[TRANSPORT_TCP] = "--no-tls --no-dtls",
				[TRANSPORT_TLS] = COTURN_IDENTITY " --no-dtls",
				[TRANSPORT_DTLS] = COTURN_IDENTITY " --no-tls --no-tcp",
			},
		.missing = "install Debian's package coturn",
	},
	{
		.name = "coturn-new",
		.place = PROGRAM_PEER,
		.program = "coturn-new",
		.arguments = COTURN,
		.transports =
			{
				[TRANSPORT_UDP] = "--no-tls --no-tcp",
				[TRANSPORT_TCP] = "--no-tls",
				[TRANSPORT_TLS] = COTURN_IDENTITY,
				[TRANSPORT_DTLS] = COTURN_IDENTITY " --no-tls --no-tcp --dtls",
			},
		.missing = missing_peer,
	},
	{
		/* Allocations share one relay port; a packet from a peer finds its own by the peer's address and port. */
		.name = "coturn-multiplex",
		.place = PROGRAM_PEER,
		.program = "coturn-new",
		.arguments = COTURN " --multiplex-peer --multiplex-peer-port={relay_port} --udp-gso",
		.transports = {[TRANSPORT_UDP] = "--no-tls --no-tcp"},
		.missing = missing_peer,
	},
	{
		.name = "pion",
		.place = PROGRAM_PEER,
		.program = "pion-turn",
		.arguments = "-address {address} -port {port} -user {user} -password {password} -realm {realm} -min-port 49152 "
			     "-max-port 65535",
		.transports = {[TRANSPORT_UDP] = ""},
		.missing = missing_peer,
	},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct server_kind *server_kind_find(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

void server_kind_names(char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < KINDS && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", kinds[i].name);
}

/* Where bench/peers/prepare puts what it makes, with a '/' behind it. */
static void find_peers(const struct server_place *place, char *folder, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (place->peers_dir != NULL)
		snprintf(folder, size, "%s/", place->peers_dir);
	else if (cache != NULL && cache[0] != '\0')
		snprintf(folder, size, "%s/uturn/peers/", cache);
	else
		snprintf(folder, size, "%s/.cache/uturn/peers/", home != NULL ? home : "");
}

bool server_kind_program(
	const struct server_kind *kind, const struct server_place *place, char *path, size_t size, struct failure *failure)
{
	char folder[1024] = "";
	const char *file = kind->place == PROGRAM_UTURN ? place->uturn_binary : kind->program;
	if (file == NULL)
		return fail(failure, "%s: nothing says where it is; %s", kind->name, kind->missing);
	if (kind->place == PROGRAM_PEER)
		find_peers(place, folder, sizeof folder);
	int length = snprintf(path, size, "%s%s", folder, file);
	if (length < 0 || (size_t)length >= size)
		return fail(failure, "%s: its path is too long", kind->name);
	if (access(path, X_OK) != 0)
		return fail(failure, "%s: %s: %s; %s", kind->name, path, strerror(errno), kind->missing);
	return true;
}

/*
 * The loader's peers have addresses of the server's own network. A prefix of at least 16 bits wins over the relay's list of
 * networks that are denied unless they are named.
 */
static void route_to_peers(const struct addr *address, char *text, size_t size)
{
	char ip[ADDR_TEXT_SIZE];
	addr_format_ip(address, ip);
	bool loopback = addr_is_loopback(address);
	if (address->family == ADDR_IPV6)
		snprintf(text, size, "%s/%d", ip, loopback ? 128 : 64);
	else if (loopback)
		snprintf(text, size, "127.0.0.0/8");
	else
		snprintf(text, size, "%u.%u.0.0/16", address->ip[0], address->ip[1]);
}

static json_t *listener(const struct server *server, enum transport_kind kind)
{
	char ip[ADDR_TEXT_SIZE], certificate[sizeof server->folder + 16], key[sizeof server->folder + 16];
	struct addr address = server_address(server, kind);
	addr_format_ip(&address, ip);
	json_t *made = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[s]}", "name", transport_name(kind), "protocol",
		transport_name(kind), "address", ip, "bind_address", ip, "port", address.port, "min_relay_port", 49152,
		"max_relay_port", 65535, "routes", "peers");
	if (made == NULL || !transport_is_secure(kind))
		return made;
	server_identity_paths(server, certificate, key, sizeof key);
	json_object_set_new(made, "cert", json_string(certificate));
	json_object_set_new(made, "key", json_string(key));
	return made;
}

/* That of UDP alone, where nothing else is wanted. */
static json_t *listeners(const struct server *server)
{
	json_t *array = json_pack("[o]", listener(server, TRANSPORT_UDP));
	if (array != NULL && server->transport != TRANSPORT_UDP)
		json_array_append_new(array, listener(server, server->transport));
	return array;
}

static json_t *configuration(const struct server_kind *kind, const struct server *server)
{
	char route[ADDR_TEXT_SIZE + 4];
	route_to_peers(&server->address, route, sizeof route);
	json_t *admin = json_pack("{s:s, s:i, s:s, s:s, s:s}", "engine", kind->engine, "shards", 1, "loglevel", "all:WARN",
		"healthcheck_endpoint", "", "metrics_endpoint", "");
	/* All clients of a load come from one address. */
	if (server->transport != TRANSPORT_UDP)
		json_object_set_new(admin, "limits", json_pack("{s:{s:i}}", "streams", "per_source", 0));
	json_t *auth = json_pack("{s:s, s:s, s:{s:s, s:s}}", "type", "static", "realm", SERVER_REALM, "credentials", "username",
		SERVER_USERNAME, "password", SERVER_PASSWORD);
	json_t *cluster = json_pack("{s:s, s:s, s:[s]}", "name", "peers", "type", "STATIC", "endpoints", route);
	return json_pack("{s:s, s:o, s:o, s:o, s:[o]}", "version", "uturn/v1", "admin", admin, "auth", auth, "listeners",
		listeners(server), "clusters", cluster);
}

bool server_kind_configure(const struct server_kind *kind, const struct server *server, struct failure *failure)
{
	if (kind->place != PROGRAM_UTURN)
		return true;
	char path[sizeof server->folder + 16];
	snprintf(path, sizeof path, "%s/uturn.json", server->folder);
	json_t *root = configuration(kind, server);
	bool written = root != NULL && json_dump_file(root, path, JSON_INDENT(2)) == 0;
	json_decref(root);
	return written || fail(failure, "cannot write %s", path);
}

void server_kind_version(const char *program, char *text, size_t size)
{
	char option[] = "--version", output[512];
	struct failure ignored;
	text[0] = '\0';
	if (!process_run((char *[]){(char *)(uintptr_t)program, option, NULL}, output, sizeof output, &ignored))
		return;
	char *line = process_last_line(output);
	char *word = strrchr(line, ' ');
	snprintf(text, size, "%s", word == NULL ? line : word + 1);
}
