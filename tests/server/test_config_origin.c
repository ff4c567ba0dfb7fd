#include <criterion/criterion.h>

#include "server/config_origin.h"

Test(config_origin, tells_files_from_services)
{
	static const struct {
		const char *text, *file, *host;
		unsigned port;
		bool secure;
	} cases[] = {
		{"u.yaml", "u.yaml", NULL, 0, false},
		{"/etc/u:1", "/etc/u:1", NULL, 0, false},
		{"file:///etc/u.yaml", "/etc/u.yaml", NULL, 0, false},
		{"FILE://u.yaml", "u.yaml", NULL, 0, false},
		{"C:u.yaml", "C:u.yaml", NULL, 0, false},
		{"/", "/", NULL, 0, false},
		{":13478", NULL, "127.0.0.1", 13478, false},
		{"10.0.0.1:9", NULL, "10.0.0.1", 9, false},
		{"10.0.0.1", NULL, "10.0.0.1", 13478, false},
		{"[fd00::1]:9", NULL, "fd00::1", 9, false},
		{"fd00::1", NULL, "fd00::1", 13478, false},
		{"operator.stunner:13478", NULL, "operator.stunner", 13478, false},
		{"http://10.0.0.1:13478", NULL, "10.0.0.1", 13478, false},
		{"http://operator", NULL, "operator", 80, false},
		{"HTTP://operator/", NULL, "operator", 80, false},
		{"ws://operator:1/api/v1/configs?watch=true", NULL, "operator", 1, false},
		{"https://operator", NULL, "operator", 443, true},
		{"wss://[::1]:13478", NULL, "::1", 13478, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_origin origin;
		const char *wrong = config_origin_parse(cases[i].text, &origin);
		cr_assert_null(wrong, "%s %s", cases[i].text, wrong);
		if (cases[i].file != NULL) {
			cr_assert_not_null(origin.file, "%s", cases[i].text);
			cr_assert_str_eq(origin.file, cases[i].file);
			continue;
		}
		cr_assert_null(origin.file, "%s", cases[i].text);
		cr_assert_str_eq(origin.cds.host, cases[i].host, "%s", cases[i].text);
		cr_assert_eq(origin.cds.port, cases[i].port, "%s", cases[i].text);
		cr_assert_eq(origin.cds.secure, cases[i].secure, "%s", cases[i].text);
	}
}

Test(config_origin, says_what_is_wrong)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "has no path in it"},
		{"file://", "has no path in it"},
		{"ftp://host", "is neither a file nor"},
		{"://host", "is neither a file nor"},
		{"http://user:pass@host", "has credentials in it"},
		{"http://host:0", "names no usable address"},
		{"http://host:x", "names no usable address"},
		{"http://ho st", "names no usable address"},
		{"http://[::1", "names no usable address"},
		{"http://[::1]x", "names no usable address"},
		{"http://ho\r\nst", "names no usable address"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_origin origin;
		const char *wrong = config_origin_parse(cases[i].text, &origin);
		cr_assert_not_null(wrong, "%s", cases[i].text);
		cr_assert_not_null(strstr(wrong, cases[i].says), "%s %s", cases[i].text, wrong);
	}
	char long_host[400] = "http://";
	memset(long_host + 7, 'a', 300);
	struct config_origin origin;
	cr_assert_not_null(config_origin_parse(long_host, &origin));
}

Test(config_origin, finds_the_service_of_the_cluster)
{
	struct cds_source cds;
	cr_assert_null(config_origin_in_cluster("", "", "", &cds));
	cr_assert_str_eq(cds.host, "stunner-config-discovery.stunner-system.svc");
	cr_assert_eq(cds.port, 13478);
	cr_assert_null(config_origin_in_cluster("", "media", "9", &cds));
	cr_assert_str_eq(cds.host, "stunner-config-discovery.media.svc");
	cr_assert_eq(cds.port, 9);
	cr_assert_null(config_origin_in_cluster("10.0.0.7", "media", "", &cds));
	cr_assert_str_eq(cds.host, "10.0.0.7");
	cr_assert_not_null(config_origin_in_cluster("", "a b", "", &cds));
	cr_assert_not_null(config_origin_in_cluster("", "", "x", &cds));
	cr_assert_not_null(config_origin_in_cluster("a/b", "", "", &cds));
}

Test(config_origin, writes_the_path_of_a_configuration)
{
	static const struct {
		const char *id, *node;
		bool watch;
		const char *path;
	} cases[] = {
		{"ns/gw", "", false, "/api/v1/configs/ns/gw"},
		{"ns/gw", "", true, "/api/v1/configs/ns/gw?watch=true"},
		{"ns/gw", "node-1.example", false, "/api/v1/configs/ns/gw?node=node-1.example"},
		{"ns/gw", "a/b&c d", true, "/api/v1/configs/ns/gw?node=a%2Fb%26c%20d&watch=true"},
		{"n?s/g\r\nw", "", false, "/api/v1/configs/n%3Fs/g%0D%0Aw"},
		{"\xc3\xa9/gw", "", false, "/api/v1/configs/%C3%A9/gw"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cds_source cds = {0};
		char text[CDS_PATH_SIZE];
		strcpy(cds.id, cases[i].id);
		strcpy(cds.node, cases[i].node);
		cr_assert_str_eq(config_origin_path(&cds, cases[i].watch, text), cases[i].path);
	}
}

Test(config_origin, the_longest_path_fits)
{
	struct cds_source cds = {0};
	char text[CDS_PATH_SIZE];
	memset(cds.id, ' ', sizeof cds.id - 1);
	memset(cds.node, ' ', sizeof cds.node - 1);
	config_origin_path(&cds, true, text);
	cr_assert_str_eq(text + strlen(text) - strlen("&watch=true"), "&watch=true");
}

Test(config_origin, knows_an_identity)
{
	static const struct {
		const char *id;
		bool valid;
	} cases[] = {{"a/b", true}, {"", false}, {"a", false}, {"/", false}, {"a/", false}, {"/b", false}, {"a/b/c", false}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_assert_eq(config_origin_id_valid(cases[i].id), cases[i].valid, "%s", cases[i].id);
}

Test(config_origin, shows_an_address_as_a_url)
{
	struct cds_source cds = {.host = "fd00::1", .port = 9};
	char text[CDS_TEXT_SIZE];
	cr_assert_str_eq(config_origin_text(&cds, text), "http://[fd00::1]:9");
	cds = (struct cds_source){.host = "operator", .port = 443, .secure = true};
	cr_assert_str_eq(config_origin_text(&cds, text), "https://operator:443");
}
