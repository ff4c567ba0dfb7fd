#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results.h"

static json_t *document_of_one(void)
{
	char program[] = "uturn-bench", command[] = "flood";
	char *words[] = {program, command};
	json_t *document = document_new(2, words, 7);
	cr_assert_eq(json_array_append_new(json_object_get(document, "results"), flood_json()), 0);
	return document;
}

static void file_write(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(text, 1, size, file), size);
	fclose(file);
}

static void path_in(const char *folder, const char *name, char path[static 96])
{
	snprintf(path, 96, "%s/%s", folder, name);
}

static void expect_unreadable(const char *path, const char *what)
{
	struct failure failure = {0};
	json_t *document = NULL;
	cr_expect_not(document_read(path, &document, &failure), "%s", what);
	cr_expect_null(document);
	cr_expect_not_null(strstr(failure.text, what), "'%s' not in '%s'", what, failure.text);
	cr_expect_eq(strncmp(failure.text, path, strlen(path)), 0, "%s", failure.text);
	cr_expect_null(strpbrk(failure.text, "\n\r\033"));
}

Test(document_file, what_is_written_is_read_back_the_same)
{
	char folder[64], path[96];
	folder_create(folder);
	path_in(folder, "result.json", path);
	json_t *document = document_of_one(), *again = NULL;
	struct failure failure = {0};
	cr_assert(document_write(document, path, &failure), "%s", failure.text);
	cr_assert(document_read(path, &again, &failure), "%s", failure.text);
	/* Machines tell some figures with more digits than are written. */
	json_object_del(json_object_get(document, "machine"), "load_average");
	json_object_del(json_object_get(again, "machine"), "load_average");
	cr_expect(json_equal(document, again));
	cr_expect_eq(folder_count(folder), 1);
	json_decref(document);
	json_decref(again);
	folder_remove(folder);
}

Test(document_file, a_new_file_is_as_readable_as_any_other_and_an_old_one_keeps_its_mode)
{
	char folder[64], path[96];
	struct stat made;
	folder_create(folder);
	path_in(folder, "result.json", path);
	json_t *document = document_of_one();
	struct failure failure = {0};
	umask(027);
	cr_assert(document_write(document, path, &failure), "%s", failure.text);
	cr_assert_eq(stat(path, &made), 0);
	cr_expect_eq(made.st_mode & 0777, 0640);
	cr_assert_eq(chmod(path, 0606), 0);
	cr_assert(document_write(document, path, &failure), "%s", failure.text);
	cr_assert_eq(stat(path, &made), 0);
	cr_expect_eq(made.st_mode & 0777, 0606);
	json_decref(document);
	folder_remove(folder);
}

Test(document_file, a_link_stays_a_link_and_a_pipe_a_pipe)
{
	char folder[64], target[96], link_path[96], pipe_path[96];
	struct stat made;
	folder_create(folder);
	path_in(folder, "result.json", target);
	path_in(folder, "link.json", link_path);
	path_in(folder, "pipe", pipe_path);
	file_write(target, "old", 3);
	cr_assert_eq(symlink("result.json", link_path), 0);
	cr_assert_eq(mkfifo(pipe_path, 0600), 0);
	int fd = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	json_t *document = document_of_one(), *again = NULL;
	struct failure failure = {0};
	cr_expect(document_write(document, link_path, &failure), "%s", failure.text);
	cr_expect(document_write(document, pipe_path, &failure), "%s", failure.text);
	cr_assert_eq(lstat(link_path, &made), 0);
	cr_expect(S_ISLNK(made.st_mode));
	cr_assert_eq(lstat(pipe_path, &made), 0);
	cr_expect(S_ISFIFO(made.st_mode));
	cr_expect(document_read(target, &again, &failure), "%s", failure.text);
	char first = 0;
	cr_expect_eq(read(fd, &first, 1), 1);
	cr_expect_eq(first, '{');
	cr_expect_eq(folder_count(folder), 3);
	close(fd);
	json_decref(document);
	json_decref(again);
	folder_remove(folder);
}

Test(document_file, where_it_cannot_be_written_nothing_is_left)
{
	char folder[64], path[96];
	folder_create(folder);
	json_t *document = document_of_one();
	struct failure failure = {0};
	path_in(folder, "missing/result.json", path);
	cr_expect_not(document_write(document, path, &failure));
	cr_expect_not_null(strstr(failure.text, "No such file"), "%s", failure.text);
	cr_expect_not(document_write(document, folder, &failure));
	cr_expect_not_null(strstr(failure.text, "Is a directory"), "%s", failure.text);
	/* Nobody may make files there, not even root. */
	cr_expect_not(document_write(document, "/proc/self/result.json", &failure));
	cr_expect_not_null(strstr(failure.text, "/proc/self/result.json"), "%s", failure.text);
	cr_expect_eq(folder_count(folder), 0);
	json_decref(document);
	folder_remove(folder);
}

Test(document_file, a_full_disk_leaves_the_old_file_as_it_was)
{
	char folder[64], path[96], text[16] = "";
	folder_create(folder);
	path_in(folder, "result.json", path);
	file_write(path, "old", 3);
	json_t *document = document_of_one();
	struct failure failure = {0};
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 1000, .rlim_max = RLIM_INFINITY}), 0);
	bool written = document_write(document, path, &failure);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY}), 0);
	cr_expect_not(written);
	cr_expect_not_null(strstr(failure.text, "File too large"), "%s", failure.text);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file);
	cr_expect_eq(fread(text, 1, sizeof text - 1, file), 3);
	fclose(file);
	cr_expect_str_eq(text, "old");
	cr_expect_eq(folder_count(folder), 1);
	json_decref(document);
	folder_remove(folder);
}

Test(document_file, standard_output_that_is_full_is_an_error)
{
	json_t *document = document_of_one();
	struct failure failure = {0};
	FILE *full = freopen("/dev/full", "we", stdout);
	cr_assert_not_null(full);
	cr_expect_not(document_write(document, "-", &failure));
	cr_expect_not_null(strstr(failure.text, "standard output"), "%s", failure.text);
	json_decref(document);
}

Test(document_file, damaged_files_are_refused_with_the_place_of_the_damage)
{
	char folder[64], path[96];
	folder_create(folder);
	path_in(folder, "result.json", path);
	json_t *document = document_of_one();
	char *text = json_dumps(document, JSON_INDENT(1));
	size_t size = strlen(text);
	for (size_t kept = 0; kept < size; kept += kept < 100 ? 1 : 37) {
		file_write(path, text, kept);
		expect_unreadable(path, "not valid JSON: line ");
	}
	text[size / 2] = '\001';
	file_write(path, text, size);
	expect_unreadable(path, "column");
	file_write(path, "{\"format\": \033[31m}", 17);
	expect_unreadable(path, "line 1, column");
	file_write(path, "\xff\xfe\0\0", 4);
	expect_unreadable(path, "line 1, column");
	free(text);
	json_decref(document);
	folder_remove(folder);
}

Test(document_file, other_files_are_refused)
{
	static const struct {
		const char *text, *what;
	} files[] = {
		{"[]", "not a result of uturn-bench"},
		{"{}", "not a result of uturn-bench"},
		{"{\"format\": 1}", "not a result of uturn-bench"},
		{"{\"format\": \"uturn-bench/2\", \"results\": [], \"comparisons\": []}", "\"uturn-bench/2\""},
		{"{\"format\": \"a\\nb\\u001b[0m\"}", "its format is"},
		{"{\"format\": \"uturn-bench/1\"}", "must be arrays"},
		{"{\"format\": \"uturn-bench/1\", \"results\": {}, \"comparisons\": []}", "must be arrays"},
		{"{\"format\": \"uturn-bench/1\", \"results\": [], \"comparisons\": []} {}", "not valid JSON"},
	};
	char folder[64], path[96];
	folder_create(folder);
	path_in(folder, "result.json", path);
	for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
		file_write(path, files[i].text, strlen(files[i].text));
		expect_unreadable(path, files[i].what);
	}
	expect_unreadable(folder, "Is a directory");
	path_in(folder, "missing.json", path);
	expect_unreadable(path, "No such file");
	folder_remove(folder);
}
