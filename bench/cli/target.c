#include "cli/target.h"

#include <dirent.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/values.h"

enum { PORT_DEFAULT = 3478, PORT_SECURE_DEFAULT = 5349, CREDENTIALS_LIFETIME_S = 86400 };

static const char shapes[] = "use HOST, HOST:PORT, [v6]:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT";

static bool begins(const char **text, const char *word)
{
	size_t length = strlen(word);
	if (strncasecmp(*text, word, length) != 0)
		return false;
	*text += length;
	return true;
}

/* Moves *text behind the scheme; *ret_secure: it is "turns:". *ret_uri: there was one. */
static bool scheme_skip(const char **text, bool *ret_secure, bool *ret_uri, struct failure *failure)
{
	static const char *const refused[] = {"stun:", "stuns:", "http:", "https:"};
	const char *whole = *text;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (strncasecmp(*text, refused[i], strlen(refused[i])) == 0)
			return fail(failure, "%s: this tool speaks TURN: %s", whole, shapes);
	*ret_secure = begins(text, "turns:");
	*ret_uri = *ret_secure || begins(text, "turn:");
	if (*ret_uri)
		*text += strspn(*text, "/");
	return true;
}

/* RFC 7065, section 3.1: without a transport in the URI "turn" is UDP and "turns" is TLS. */
static bool transport_read(
	const char *query, bool secure, bool uri, struct target_place *place, const char *whole, struct failure *failure)
{
	place->has_transport = uri || *query != '\0';
	if (*query == '\0')
		place->transport = secure ? TRANSPORT_TLS : TRANSPORT_UDP;
	else if (strcasecmp(query, "?transport=udp") == 0)
		place->transport = secure ? TRANSPORT_DTLS : TRANSPORT_UDP;
	else if (strcasecmp(query, "?transport=tcp") == 0)
		place->transport = secure ? TRANSPORT_TLS : TRANSPORT_TCP;
	else
		return fail(failure, "%s: a transport that there is not: use ?transport=udp or ?transport=tcp", whole);
	return true;
}

static bool port_read(const char *text, uint16_t *ret_port)
{
	uint64_t port;
	if (!value_whole(text, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

bool target_split(const char *text, struct target_place *ret_place, struct failure *failure)
{
	const char *whole = text;
	struct target_place place = {0};
	bool secure = false, uri = false;
	if (!scheme_skip(&text, &secure, &uri, failure))
		return false;
	if (strchr(text, '@'))
		return fail(failure, "a target without its credentials, please: HOST:PORT; give them with --user and --password");
	char copy[TARGET_HOST_SIZE];
	size_t length = strcspn(text, "?");
	if (!transport_read(text + length, secure, uri, &place, whole, failure))
		return false;
	if (length == 0 || length >= sizeof copy)
		return fail(failure, "%s: not a server: %s", whole, shapes);
	memcpy(copy, text, length);
	copy[length] = '\0';

	char *host = copy, *port = NULL;
	bool good = true;
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');
		good = end && (end[1] == '\0' || end[1] == ':');
		host = copy + 1;
		port = good && end[1] == ':' ? end + 2 : NULL;
		if (end)
			*end = '\0';
	} else if (strchr(copy, ':') && strchr(copy, ':') == strrchr(copy, ':')) {
		port = strchr(copy, ':');
		*port++ = '\0';
	}
	if (!good || host[0] == '\0' || (port && !port_read(port, &place.port)))
		return fail(failure, "%s: not a server: %s", whole, shapes);
	memcpy(place.host, host, strlen(host) + 1);
	*ret_place = place;
	return true;
}

/* The option and the URI may both say it, if they say the same; a plain HOST:PORT leaves it to the option. */
static bool transport_choose(
	const struct options *options, struct target_place *place, struct transport *ret_transport, struct failure *failure)
{
	struct transport chosen = options->transport;
	if (place->has_transport && options->transport_given && place->transport != chosen.kind)
		return fail(failure, "--transport %s and the target %s say two things: use one of them",
			transport_name(chosen.kind), options->target);
	if (place->has_transport)
		chosen.kind = place->transport;
	if (place->port == 0)
		place->port = transport_is_secure(chosen.kind) ? PORT_SECURE_DEFAULT : PORT_DEFAULT;
	*ret_transport = chosen;
	return true;
}

static bool host_resolve(
	const struct options *options, const struct target_place *place, struct addr *ret_server, struct failure *failure)
{
	const char *host = place->host;
	struct addr server;
	if (addr_parse_ip(host, &server)) {
		*ret_server = addr_with_port(server, place->port);
		return true;
	}
	const struct addr *near = &options->local;
	int family = near->family == ADDR_IPV4 ? AF_INET : near->family == ADDR_IPV6 ? AF_INET6 : AF_UNSPEC;
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG}, *found;
	int error = getaddrinfo(host, NULL, &hints, &found);
	if (error)
		return fail(failure, "%s: %s", host, gai_strerror(error));
	*ret_server = addr_with_port(addr_from_sockaddr(found->ai_addr), place->port);
	freeaddrinfo(found);
	return true;
}

static bool server_resolve(const struct options *options, struct load_target *load, struct failure *failure)
{
	struct target_place place;
	return target_split(options->target, &place, failure) && transport_choose(options, &place, &load->transport, failure) &&
	       host_resolve(options, &place, &load->server, failure);
}

bool target_udp(const struct options *options, struct addr *ret_server, struct failure *failure)
{
	struct target_place place;
	if (!target_split(options->udp_target, &place, failure))
		return false;
	if (place.has_transport && place.transport != TRANSPORT_UDP)
		return fail(failure, "--udp-target %s: it names another transport", options->udp_target);
	if (place.port == 0)
		place.port = PORT_DEFAULT;
	return host_resolve(options, &place, ret_server, failure);
}

static bool ephemeral_make(const struct options *options, const char *secret, struct target *target, struct failure *failure)
{
	const char *user = options->user ? options->user : "uturn-bench";
	int size = snprintf(
		target->username, sizeof target->username, "%lld:%s", (long long)time(NULL) + CREDENTIALS_LIFETIME_S, user);
	if (size < 0 || (size_t)size >= sizeof target->username)
		return fail(failure, "--user: %zu characters are too many: use up to 200", strlen(user));
	credentials_ephemeral_password(bytes_of_string(target->username), bytes_of_string(secret), target->password);
	target->load.username = target->username;
	target->load.password = target->password;
	return true;
}

static bool credentials_take(const struct options *options, struct target *target, struct failure *failure)
{
	const char *password = options->password, *secret = options->secret;
	if (password && secret)
		return fail(failure, "--password and --secret: use one of them");
	if (!password && !secret) {
		password = getenv("UTURN_BENCH_PASSWORD");
		secret = password ? NULL : getenv("UTURN_BENCH_SECRET");
	}
	if (secret)
		return ephemeral_make(options, secret, target, failure);
	if (!password)
		return fail(failure, "no credentials: give --user and --password, or --secret for time-limited ones");
	if (!options->user)
		return fail(failure, "no user name: give --user beside the password");
	target->load.username = options->user;
	target->load.password = password;
	return true;
}

bool target_process_cores(pid_t pid, cpu_set_t *ret_cores)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *threads = opendir(path);
	if (!threads)
		return false;
	cpu_set_t together, cores;
	CPU_ZERO(&together);
	const struct dirent *entry;
	while ((entry = readdir(threads)) != NULL) {
		uint64_t thread;
		if (value_whole(entry->d_name, &thread) && sched_getaffinity((pid_t)thread, sizeof cores, &cores) == 0)
			CPU_OR(&together, &together, &cores);
	}
	closedir(threads);
	*ret_cores = together;
	return true;
}

bool target_cores_allowed(const char *what, const cpu_set_t *cores, struct failure *failure)
{
	cpu_set_t allowed, both;
	char text[CORES_TEXT_SIZE];
	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof allowed, &allowed);
	CPU_AND(&both, cores, &allowed);
	if (CPU_EQUAL(&both, cores))
		return true;
	return fail(failure, "%s: this process may use only the cores %s", what, cores_format(&allowed, text, sizeof text));
}

/* A server that may run anywhere leaves no core to keep clear of. */
static void loader_cores_choose(const struct options *options, const cpu_set_t *server, cpu_set_t *ret_cores)
{
	cpu_set_t allowed, both, rest;
	CPU_ZERO(ret_cores);
	if (CPU_COUNT(&options->cores) > 0) {
		*ret_cores = options->cores;
		return;
	}
	if (options->server_pid == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		return;
	CPU_AND(&both, &allowed, server);
	CPU_XOR(&rest, &allowed, &both);
	if (CPU_COUNT(&rest) > 0 && CPU_COUNT(&both) > 0)
		*ret_cores = rest;
}

bool target_resolve(const struct options *options, struct target *target, struct failure *failure)
{
	*target = (struct target){
		.load = {.local = options->local, .peer = options->peer_address, .pid = (pid_t)options->server_pid}};
	if (!credentials_take(options, target, failure) || !server_resolve(options, &target->load, failure))
		return false;
	const struct addr *server = &target->load.server;
	if (options->local.family != ADDR_NONE && options->local.family != server->family)
		return fail(failure, "--local: the server's address is IPv%d; use an address of that family", server->family);
	if (options->server_pid && !target_process_cores(target->load.pid, &target->load.cores))
		return fail(failure, "--server-pid %u: there is no such process", options->server_pid);
	if (CPU_COUNT(&options->cores) > 0 && !target_cores_allowed("--cores", &options->cores, failure))
		return false;
	loader_cores_choose(options, &target->load.cores, &target->loader_cores);
	return true;
}
