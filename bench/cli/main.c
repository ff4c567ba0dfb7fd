#include <string.h>

#include "cli/commands.h"

static const struct command *const commands[] = {&command_inspect, &command_replay, &command_flood, &command_allocate,
	&command_connect, &command_handshakes, &command_attack, &command_find_max, &command_compare, &command_report};

static const char documentation[] =
	"uturn-bench - measures TURN servers: captured calls, floods, attacks, and several servers side by side"
	"\v"
	"Commands:\n"
	"  inspect     what a packet capture contains\n"
	"  replay      plays copies of a captured call against a server\n"
	"  flood       synthetic load, paced or as fast as the server relays\n"
	"  allocate    allocations per second, and memory per allocation\n"
	"  connect     TCP, TLS or DTLS connections per second, and memory per idle one\n"
	"  handshakes  what TLS and DTLS handshakes cost, and a call beside them\n"
	"  attack      what a call suffers while others flood the server\n"
	"  find-max    the most calls that a server carries within bounds\n"
	"  compare     the same load against several servers, taking turns\n"
	"  report      one HTML page with plots from JSON documents\n"
	"`uturn-bench COMMAND --help` tells the options of each.\n"
	"\n"
	"Examples:\n"
	"  uturn-bench inspect call.pcap\n"
	"  uturn-bench replay call.pcap --calls 50 -t 192.0.2.1 -u user -p password\n"
	"  uturn-bench flood -t 127.0.0.1 -u user -p password -o flood.json\n"
	"  uturn-bench compare --servers uturn-io_uring,coturn --workload up-8x1200\n"
	"  uturn-bench report flood.json -o flood.html\n"
	"\n"
	"Exit status: 0 done; 1 failed, with one line that says why; 2 the command line is wrong; 130 ended early by Ctrl-C or "
	"SIGTERM, with the "
	"result so far.\n"
	"\n"
	"It loads a server to its limit. Point it at servers of your own only.";

static const struct argp_option no_options[] = {
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 0},
	{"version", KEY_VERSION, NULL, 0, "Show the version and leave", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp main_argp = {no_options, options_parse_root, "COMMAND [OPTION...]", documentation, NULL, NULL, NULL};

static const struct option_shape main_shape = {
	.argp = &main_argp, .in_order = true, .arguments_min = 1, .arguments_max = 1 << 20, .arguments_missing = "no command"};

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct options first;
	options_init(&first);
	int status = options_parse(&main_shape, "uturn-bench", argc, argv, &first);
	if (status >= 0)
		return status;
	const struct command *command = command_find(first.arguments[0]);
	if (!command)
		return usage_error("uturn-bench", first.arguments[0], "no such command");

	char name[64];
	snprintf(name, sizeof name, "uturn-bench %s", command->name);
	struct run run = {.name = name, .argc = argc, .argv = argv};
	options_init(&run.options);
	if (command->defaults)
		command->defaults(&run.options);
	status = options_parse(&command->shape, name, (int)first.argument_count, first.arguments, &run.options);
	return status >= 0 ? status : command->execute(&run);
}
