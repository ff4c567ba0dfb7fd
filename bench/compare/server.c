#include "compare/server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "clients/identity.h"
#include "compare/command_line.h"
#include "compare/process.h"
#include "compare/server_kinds.h"
#include "crypto/random.h"
#include "interrupt.h"
#include "wire/stun_build.h"

/*
 * Listeners get ports below the loader's range. {relay_port} is from the range that the specification names for relayed addresses,
 * as far as coturn takes it: its --multiplex-peer-port ends at 65000.
 */
enum { LISTENER_PORT_MIN = 3478, LISTENER_PORT_MAX = 9999, RELAY_PORT_MIN = 49152, RELAY_PORT_MAX = 64900 };
enum { START_TIME_MAX_S = 10, PORT_TRIES_MAX = 200 };

static bool good_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", text[i]) == NULL)
			return false;
	return length > 0 && length < sizeof(struct server_spec){0}.name;
}

static bool parse_command(const char *text, const char *equals, struct server_spec *spec, struct failure *failure)
{
	struct command_line line;
	struct failure why;
	size_t length = (size_t)(equals - text);
	if (!good_name(text, length))
		return fail(failure, "'%.100s': a server's name has up to %zu letters, digits, '.', '_' and '-'", text,
			sizeof spec->name - 1);
	if (!command_line_split(equals + 1, &line, &why))
		return fail(failure, "server %.*s: %.400s", (int)length, text, why.text);
	command_line_done(&line);
	memcpy(spec->name, text, length);
	spec->name[length] = '\0';
	spec->kind = NULL;
	spec->command = strdup(equals + 1);
	return spec->command != NULL || fail(failure, "no memory for the command");
}

bool server_spec_parse(const char *text, struct server_spec *ret_spec, struct failure *failure)
{
	struct server_spec spec = {0};
	const char *equals = strchr(text, '=');
	if (equals != NULL) {
		if (!parse_command(text, equals, &spec, failure))
			return false;
	} else {
		spec.kind = server_kind_find(text);
		if (spec.kind == NULL) {
			char known[256];
			server_kind_names(known, sizeof known);
			return fail(failure, "no server '%.60s': there are %s, or give NAME='COMMAND …'", text, known);
		}
		snprintf(spec.name, sizeof spec.name, "%s", spec.kind->name);
	}
	*ret_spec = spec;
	return true;
}

void server_spec_done(struct server_spec *spec)
{
	free(spec->command);
	*spec = (struct server_spec){0};
}

bool server_available(const struct server_spec *spec, const struct server_place *place, struct failure *failure)
{
	char path[1024];
	return spec->kind == NULL || server_kind_program(spec->kind, place, path, sizeof path, failure);
}

bool server_serves(const struct server_spec *spec, enum transport_kind transport)
{
	return spec->kind == NULL || spec->kind->transports[transport] != NULL;
}

struct addr server_address(const struct server *server, enum transport_kind transport)
{
	return transport_is_secure(transport) ? server->tls_address : server->address;
}

void server_identity_paths(const struct server *server, char *certificate, char *key, size_t size)
{
	snprintf(certificate, size, "%s/cert.pem", server->folder);
	snprintf(key, size, "%s/key.pem", server->folder);
}

/* Whether nobody has the port. An address that is not of this network namespace cannot be tried: then it is as good as free. */
static bool port_free_of(const struct addr *address, int type)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(address, &name);
	int fd = socket(name.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool taken = bind(fd, (struct sockaddr *)&name, size) != 0 && errno != EADDRNOTAVAIL;
	close(fd);
	return !taken;
}

static bool port_free(const struct addr *address)
{
	return port_free_of(address, SOCK_DGRAM) && port_free_of(address, SOCK_STREAM);
}

static bool find_port(const struct addr *address, uint16_t min, uint16_t max, uint16_t *ret_port, struct failure *failure)
{
	struct random_source source = {0};
	for (int i = 0; i < PORT_TRIES_MAX; i++) {
		uint16_t random;
		random_bytes(&source, &random, sizeof random);
		struct addr candidate = addr_with_port(*address, (uint16_t)(min + random % (max - min + 1)));
		if (port_free(&candidate)) {
			*ret_port = candidate.port;
			return true;
		}
	}
	char text[ADDR_TEXT_SIZE];
	return fail(failure, "found no free port from %u to %u on %s", min, max, addr_format_ip(address, text));
}

static bool make_folder(struct server *server, struct failure *failure)
{
	const char *parent = secure_getenv("TMPDIR");
	if (parent == NULL || parent[0] != '/' || strlen(parent) + strlen("/uturn-bench-XXXXXX") >= sizeof server->folder)
		parent = "/tmp";
	snprintf(server->folder, sizeof server->folder, "%s/uturn-bench-XXXXXX", parent);
	if (mkdtemp(server->folder) != NULL)
		return true;
	server->folder[0] = '\0';
	return fail(failure, "cannot make a folder in %s: %s", parent, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status;
	(void)kind;
	(void)at;
	remove(path);
	return 0;
}

static bool replace_names(const struct server *server, struct command_line *line, struct failure *failure)
{
	char address[ADDR_TEXT_SIZE], port[8], tls_port[8], relay_port[8];
	char certificate[sizeof server->folder + 16], key[sizeof server->folder + 16];
	uint16_t relay;
	if (!find_port(&server->address, RELAY_PORT_MIN, RELAY_PORT_MAX, &relay, failure))
		return false;
	addr_format_ip(&server->address, address);
	snprintf(port, sizeof port, "%u", server->address.port);
	snprintf(tls_port, sizeof tls_port, "%u", server->tls_address.port);
	snprintf(relay_port, sizeof relay_port, "%u", relay);
	server_identity_paths(server, certificate, key, sizeof key);
	const struct command_name names[] = {
		{"address", address},
		{"port", port},
		{"user", SERVER_USERNAME},
		{"password", SERVER_PASSWORD},
		{"realm", SERVER_REALM},
		{"folder", server->folder},
		{"relay_port", relay_port},
		{"tls_port", tls_port},
		{"cert", certificate},
		{"key", key},
		{NULL, NULL},
	};
	return command_line_replace(line, names, failure);
}

/* The known kinds' arguments are split like a user's; the program's path in front of them is not. */
static bool make_command(const struct server *server, const char *program, struct command_line *ret_line, struct failure *failure)
{
	struct command_line line;
	const struct server_kind *kind = server->spec->kind;
	char known[1024];
	if (kind != NULL)
		snprintf(known, sizeof known, "%s %s", kind->arguments, kind->transports[server->transport]);
	if (!command_line_split(kind != NULL ? known : server->spec->command, &line, failure))
		return false;
	if (!replace_names(server, &line, failure)) {
		command_line_done(&line);
		return false;
	}
	char *first = kind != NULL ? strdup(program) : NULL;
	if (kind != NULL && (first == NULL || line.count == COMMAND_LINE_WORDS_MAX)) {
		free(first);
		command_line_done(&line);
		return fail(failure, "no memory for the command");
	}
	if (kind != NULL) {
		memmove(line.words + 1, line.words, line.count * sizeof line.words[0]);
		line.words[0] = first;
		line.count++;
	}
	*ret_line = line;
	return true;
}

static bool launch(const struct server_place *place, const char *program, struct server *server, struct failure *failure)
{
	struct command_line line;
	struct failure why;
	char log_path[sizeof server->folder + 8];
	if (!make_command(server, program, &line, &why))
		return fail(failure, "%s: %.400s", server->spec->name, why.text);
	snprintf(log_path, sizeof log_path, "%s/log", server->folder);
	struct process_plan plan = {
		.words = line.words,
		.cores = &place->cores,
		.netns_path = place->netns_path,
		.log_path = log_path,
	};
	pid_t pid = process_start(&plan, &why);
	command_line_done(&line);
	if (pid <= 0)
		return fail(failure, "%s: %.400s", server->spec->name, why.text);
	server->pid = pid;
	return true;
}

/* Sends a Binding request and waits 20 ms for its answer. */
static bool answers(int fd)
{
	uint8_t request[64], answer[2048], id[STUN_TRANSACTION_ID_SIZE];
	struct random_source source = {0};
	random_bytes(&source, id, sizeof id);
	struct stun_builder b = stun_build(request, sizeof request, STUN_BINDING, STUN_REQUEST, id);
	struct bytes message = stun_build_end(&b);
	(void)!send(fd, message.data, message.size, 0); /* refused while nobody listens: tried again */
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	poll(&poll_fd, 1, 20);
	ssize_t size;
	while ((size = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) >= 0)
		if ((size_t)size >= STUN_HEADER_SIZE && memcmp(answer + STUN_HEADER_SIZE - sizeof id, id, sizeof id) == 0)
			return true;
	if (errno == ECONNREFUSED)
		poll(NULL, 0, 5);
	return false;
}

static void log_end(const struct server *server, char *text, size_t size)
{
	char path[sizeof server->folder + 8], end[1024];
	snprintf(path, sizeof path, "%s/log", server->folder);
	text[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	off_t length = lseek(fd, 0, SEEK_END);
	ssize_t got = pread(fd, end, sizeof end - 1, length > (off_t)sizeof end - 1 ? length - (off_t)sizeof end + 1 : 0);
	close(fd);
	if (got > 0) {
		end[got] = '\0';
		snprintf(text, size, "%s", process_last_line(end));
	}
}

/* Over the transport that clients will use; a Binding request of theirs has had its answer then. */
static bool answers_over_transport(const struct server *server)
{
	const struct transport transport = {.kind = server->transport};
	struct failure ignored;
	struct connection c;
	struct connection_plan plan = {.transport = &transport, .server = server_address(server, transport.kind)};
	struct establish_figures figures;
	if (transport_is_secure(transport.kind) && (plan.tls = tls_context_create(&transport, false, false, &ignored)) == NULL)
		return false;
	connection_init(&c, &plan);
	bool good = endpoint_local_address(&plan.server, &plan.local, &ignored) &&
		    establish(&c, &(struct establish_plan){.count = 1, .parallel = 1, .binding = true}, &figures, &ignored);
	connection_close(&c);
	tls_context_free(plan.tls);
	if (!good)
		poll(NULL, 0, 5);
	return good;
}

static bool wait_until(struct server *server, int fd)
{
	uint64_t end_ns = clock_mono_ns() + START_TIME_MAX_S * NS_PER_S;
	bool over_udp = false, good = false;
	while (!good && !interrupt_requested() && server_alive(server) && clock_mono_ns() < end_ns) {
		over_udp = over_udp || answers(fd);
		good = over_udp && (server->transport == TRANSPORT_UDP || answers_over_transport(server));
	}
	return good;
}

static bool wait_until_answering(struct server *server, struct failure *failure)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&server->address, &name);
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, size) != 0) {
		fail(failure, "%s: cannot reach its address: %s", server->spec->name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool good = wait_until(server, fd), alive = server_alive(server);
	close(fd);
	char text[256];
	log_end(server, text, sizeof text);
	if (!good && interrupt_requested())
		return fail(failure, "interrupted");
	return good || fail(failure, "%s: the server %s; the end of its log: %s", server->spec->name,
			       alive ? "does not answer within 10 s" : "ended", text[0] != '\0' ? text : "(empty)");
}

/* Commands of the user's may name the files whatever is measured. */
static bool make_identity(const struct server *server, struct failure *failure)
{
	char certificate[sizeof server->folder + 16], key[sizeof server->folder + 16];
	if (server->spec->kind != NULL && !transport_is_secure(server->transport))
		return true;
	server_identity_paths(server, certificate, key, sizeof key);
	return identity_make(certificate, key, failure);
}

static bool start(const struct server_place *place, struct server *server, struct failure *failure)
{
	char program[1024] = "";
	const struct server_kind *kind = server->spec->kind;
	uint16_t port, tls_port;
	if (!server_serves(server->spec, server->transport))
		return fail(failure, "%s: it does not serve %s", server->spec->name, transport_name(server->transport));
	if (kind != NULL && !server_kind_program(kind, place, program, sizeof program, failure))
		return false;
	if (!find_port(&place->address, LISTENER_PORT_MIN, LISTENER_PORT_MAX, &port, failure))
		return false;
	do
		if (!find_port(&place->address, LISTENER_PORT_MIN, LISTENER_PORT_MAX, &tls_port, failure))
			return false;
	while (tls_port == port);
	server->address = addr_with_port(place->address, port);
	server->tls_address = addr_with_port(place->address, tls_port);
	if (!make_folder(server, failure) || !make_identity(server, failure))
		return false;
	if (kind != NULL) {
		server_kind_version(program, server->version, sizeof server->version);
		if (!server_kind_configure(kind, server, failure))
			return false;
	}
	return launch(place, program, server, failure) && wait_until_answering(server, failure);
}

bool server_start(const struct server_spec *spec, const struct server_place *place, enum transport_kind transport,
	struct server *ret_server, struct failure *failure)
{
	struct server server = {.spec = spec, .transport = transport};
	if (!start(place, &server, failure)) {
		server_stop(&server);
		return false;
	}
	*ret_server = server;
	return true;
}

void server_stop(struct server *server)
{
	if (server->pid > 0)
		process_kill(server->pid);
	if (server->folder[0] != '\0')
		nftw(server->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	*server = (struct server){0};
}

bool server_alive(const struct server *server)
{
	siginfo_t info = {0};
	/* The child is only looked at: server_stop reaps it. */
	return server->pid > 0 && waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}
