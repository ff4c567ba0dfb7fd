#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server_state.h"

static struct config config;
static struct config_identities identities[2];
static struct options options;
static struct server server;
static char root[64], file[PATH_MAX];
static unsigned reloads;

void server_reload(struct server *told, const char *cause)
{
	(void)cause;
	cr_assert_eq(told, &server);
	reloads++;
}

static const char *path_of(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, PATH_MAX, "%s/%s", root, name);
	return path;
}

static void put(const char *name)
{
	FILE *stream = fopen(path_of(name), "w");
	cr_assert_not_null(stream, "%s", name);
	fputs("x", stream);
	fclose(stream);
}

static void make_folder(const char *name)
{
	cr_assert_eq(mkdir(path_of(name), 0700), 0);
}

/* What the configuration's listener N names. */
static void name_files(size_t n, const char *certificate, const char *key)
{
	struct config_identity *identity = &identities[n].list[0];
	free(identity->certificates.file);
	free(identity->key.file);
	identity->certificates.file = strdup(path_of(certificate));
	identity->key.file = strdup(path_of(key));
	identities[n].count = 1;
	config.listeners[n].identities = &identities[n];
	if (config.listener_count <= n)
		config.listener_count = n + 1;
}

static void set_up(void)
{
	strcpy(root, "/tmp/uturn-watch-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	make_folder("etc");
	make_folder("tls");
	strcpy(file, path_of("etc/uturn.json"));
	put("etc/uturn.json");
	options = (struct options){0};
	server = (struct server){.options = &options, .config = &config, .events = event_base_new()};
	reloads = 0;
}

static void tear_down(void)
{
	char command[128];
	watch_stop(server.watch);
	event_base_free(server.events);
	for (size_t i = 0; i < 2; i++) {
		free(identities[i].list[0].certificates.file);
		free(identities[i].list[0].key.file);
	}
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(watch, .init = set_up, .fini = tear_down, .timeout = 30);

/* Long enough for things to settle. */
static unsigned reloads_in_a_while(void)
{
	struct timeval while_ = {.tv_usec = 300000};
	unsigned before = reloads;
	event_base_loopexit(server.events, &while_);
	event_base_dispatch(server.events);
	return reloads - before;
}

static void start(void)
{
	server.watch = watch_start(&server, file);
	cr_assert_not_null(server.watch);
}

Test(watch, tells_of_the_configuration_file_once_for_a_flurry)
{
	start();
	cr_expect_eq(reloads_in_a_while(), 0);
	put("etc/uturn.json");
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
	put("etc/other.json");
	cr_expect_eq(reloads_in_a_while(), 0);
}

Test(watch, tells_of_certificates_and_keys_in_other_folders)
{
	make_folder("keys");
	name_files(0, "tls/tls.crt", "keys/tls.key");
	start();
	put("tls/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 1);
	put("keys/tls.key");
	cr_expect_eq(reloads_in_a_while(), 1);
	/* The name of one in the folder of the other is somebody else's. */
	put("tls/tls.key");
	put("keys/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 0);
}

Test(watch, tells_of_a_file_that_takes_the_place_of_another)
{
	name_files(0, "tls/fullchain.pem", "tls/privkey.pem");
	put("tls/new");
	start();
	cr_assert_eq(rename(path_of("tls/new"), path_of("tls/fullchain.pem")), 0);
	cr_expect_eq(reloads_in_a_while(), 1);
	/* As certbot does it. */
	cr_assert_eq(unlink(path_of("tls/fullchain.pem")), 0);
	cr_assert_eq(symlink("../archive/fullchain2.pem", path_of("tls/fullchain.pem")), 0);
	cr_expect_eq(reloads_in_a_while(), 1);
}

Test(watch, tells_when_a_secret_volume_is_swapped)
{
	name_files(0, "tls/tls.crt", "tls/tls.key");
	start();
	cr_assert_eq(symlink("..2026", path_of("tls/..data_tmp")), 0);
	cr_expect_eq(reloads_in_a_while(), 0);
	cr_assert_eq(rename(path_of("tls/..data_tmp"), path_of("tls/..data")), 0);
	cr_expect_eq(reloads_in_a_while(), 1);
}

Test(watch, follows_the_configuration_to_other_folders)
{
	make_folder("new");
	name_files(0, "tls/tls.crt", "tls/tls.key");
	start();
	name_files(0, "new/tls.crt", "new/tls.key");
	watch_update(server.watch);
	/* What happened there before is not lost. */
	cr_expect_eq(reloads_in_a_while(), 1);
	put("new/tls.key");
	cr_expect_eq(reloads_in_a_while(), 1);
	put("tls/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 0);
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
	/* The same again is no news. */
	watch_update(server.watch);
	cr_expect_eq(reloads_in_a_while(), 0);
	watch_update(NULL);
}

Test(watch, goes_on_without_a_folder_that_is_not_there)
{
	cr_redirect_stdout();
	log_configure("all:INFO", LOG_TEXT, NULL);
	name_files(0, "nowhere/tls.crt", "tls/tls.key");
	start();
	put("tls/tls.key");
	cr_expect_eq(reloads_in_a_while(), 1);
	char line[512] = "", expected[128];
	cr_assert(fgets(line, sizeof line, cr_get_redirected_stdout()));
	snprintf(expected, sizeof expected, "%s: cannot watch its folder: No such file or directory", path_of("nowhere/tls.crt"));
	cr_expect(strstr(line, expected), "%s", line);
}

Test(watch, says_when_a_folder_goes)
{
	cr_redirect_stdout();
	name_files(0, "tls/tls.crt", "tls/tls.key");
	start();
	cr_assert_eq(rmdir(path_of("tls")), 0);
	cr_expect_eq(reloads_in_a_while(), 0);
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
	char line[512] = "";
	cr_assert(fgets(line, sizeof line, cr_get_redirected_stdout()));
	cr_expect(strstr(line, "/tls/tls.crt is gone, or is another one now: looked for every second"), "%s", line);
}

static unsigned reloads_in_seconds(unsigned seconds)
{
	struct timeval while_ = {.tv_sec = seconds, .tv_usec = 500000};
	unsigned before = reloads;
	event_base_loopexit(server.events, &while_);
	event_base_dispatch(server.events);
	return reloads - before;
}

Test(watch, awaits_a_file_that_is_not_there_yet)
{
	options.awaits = true;
	server.config = NULL;
	unlink(file);
	start();
	cr_expect_eq(reloads_in_seconds(1), 0);
	put("etc/uturn.json");
	cr_expect_geq(reloads_in_seconds(1), 1);
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
	cr_expect_eq(reloads_in_seconds(1), 0);
}

Test(watch, awaits_a_folder_that_is_not_there_yet)
{
	options.awaits = true;
	server.config = NULL;
	strcpy(file, path_of("late/uturn.json"));
	start();
	cr_expect_eq(reloads_in_a_while(), 0);
	make_folder("late");
	cr_expect_eq(reloads_in_seconds(1), 0);
	put("late/uturn.json");
	cr_expect_geq(reloads_in_seconds(1), 1);
	put("late/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
}

/* Inotify tells nothing of what a link leads to. */
Test(watch, awaits_what_a_link_leads_to)
{
	options.awaits = true;
	unlink(file);
	cr_assert_eq(symlink(path_of("tls/elsewhere"), file), 0);
	start();
	cr_expect_eq(reloads_in_a_while(), 0);
	put("tls/elsewhere");
	cr_expect_eq(reloads_in_seconds(1), 1);
}

Test(watch, finds_a_folder_again_that_was_made_anew)
{
	options.awaits = true;
	start();
	cr_assert_eq(unlink(file), 0);
	cr_assert_eq(rmdir(path_of("etc")), 0);
	cr_expect_eq(reloads_in_a_while(), 0);
	make_folder("etc");
	put("etc/uturn.json");
	cr_expect_geq(reloads_in_seconds(1), 1);
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
}

Test(watch, finds_the_folder_of_a_certificate_again)
{
	name_files(0, "tls/tls.crt", "tls/tls.key");
	start();
	cr_assert_eq(rmdir(path_of("tls")), 0);
	cr_expect_eq(reloads_in_seconds(1), 0);
	make_folder("tls");
	put("tls/tls.crt");
	cr_expect_eq(reloads_in_seconds(1), 1);
	put("tls/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 1);
}

/* As tools do it that make a new folder and exchange the names. */
Test(watch, notices_that_another_folder_has_taken_the_place)
{
	make_folder("new");
	put("new/tls.crt");
	name_files(0, "tls/tls.crt", "tls/tls.key");
	start();
	cr_assert_eq(rename(path_of("tls"), path_of("old")), 0);
	cr_assert_eq(rename(path_of("new"), path_of("tls")), 0);
	cr_expect_eq(reloads_in_seconds(1), 1);
	put("tls/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 1);
	put("old/tls.crt");
	cr_expect_eq(reloads_in_a_while(), 0);
}

Test(watch, ignores_an_empty_file)
{
	start();
	cr_assert_eq(truncate(file, 0), 0);
	FILE *stream = fopen(file, "w");
	fclose(stream);
	cr_expect_eq(reloads_in_a_while(), 0);
	put("etc/uturn.json");
	cr_expect_eq(reloads_in_a_while(), 1);
}
