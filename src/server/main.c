#include <stdio.h>

#include "base/clock.h"
#include "discovery.h"
#include "server/config_print.h"
#include "server/config_streams.h"
#include "server/server.h"

static void print_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->kept; i++)
		fprintf(stderr, "uturn: %s%s\n", problems->list[i].warning ? "warning: " : "", problems->list[i].text);
	size_t total = problems->errors + problems->warnings;
	if (total > problems->kept)
		fprintf(stderr, "uturn: and %zu more\n", total - problems->kept);
}

/* Certificates that do not fit, which only the start would find. */
static bool streams_are_fine(const struct config *config, struct config_problems *problems)
{
	const struct config_streams_params params = {
		.config = config, .world = config_world_system(), .now_s = clock_now().wall_s, .handshakes_max = UINT32_MAX};
	struct stream_config *streams = config_streams_create(&params, problems);
	stream_config_unref(streams);
	return streams != NULL;
}

static const char *config_source(const struct options *options, char place[static CDS_TEXT_SIZE])
{
	if (options->discovers)
		return config_origin_text(&options->cds, place);
	if (options->file != NULL)
		return options->file;
	return options->uri != NULL ? "the URI" : "the embedded default";
}

/* Watched, a file may be missing or wrong yet, and of a service everything comes later. */
static bool may_come_later(const struct options *options)
{
	return options->awaits && options->action == OPTIONS_RUN;
}

static struct config *load(const struct options *options, struct config_problems *problems)
{
	if (options->discovers)
		return may_come_later(options) ? NULL : discovery_load(options, config_world_system(), problems);
	return options_load(options, config_world_system(), problems);
}

static int publish(struct options *options)
{
	const struct config_world *world = config_world_system();
	struct kube_api_params *api = &options->publish.params.api;
	api->host = world->getenv(world->context, "KUBERNETES_SERVICE_HOST");
	api->port = world->getenv(world->context, "KUBERNETES_SERVICE_PORT");
	return publish_address(&options->publish.params, stdout, stderr);
}

int main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv, config_world_system(), stdout, stderr);
	if (options.action == OPTIONS_LEAVE)
		return options.status;

	if (options.action == OPTIONS_PUBLISH)
		return publish(&options);

	char place[CDS_TEXT_SIZE];
	struct config_problems problems = {0};
	struct config *config = load(&options, &problems);
	if (config != NULL && options.action != OPTIONS_RUN && !streams_are_fine(config, &problems)) {
		config_free(config);
		config = NULL;
	}
	print_problems(&problems);
	if (config == NULL && !may_come_later(&options))
		return 1;

	switch (options.action) {
	case OPTIONS_CHECK:
		printf("OK: %s: %zu listener%s, %zu cluster%s\n", config_source(&options, place), config->listener_count,
			config->listener_count == 1 ? "" : "s", config->cluster_count, config->cluster_count == 1 ? "" : "s");
		break;
	case OPTIONS_DRY_RUN:
		config_print_plan(config, stdout);
		break;
	default:
		return server_run(config, &options);
	}
	config_free(config);
	return 0;
}
