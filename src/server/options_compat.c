#include "options_compat.h"

enum { KEY_IGNORED = 0x1000 };

#define WITH_VALUE(name)                                                                                                           \
	{                                                                                                                          \
		name, KEY_IGNORED, "VALUE", OPTION_HIDDEN, NULL, 0                                                                 \
	}
#define SWITCH(name)                                                                                                               \
	{                                                                                                                          \
		name, KEY_IGNORED, "BOOL", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 0                                            \
	}

static const struct argp_option ignored[] = {
	WITH_VALUE("as"),
	WITH_VALUE("as-group"),
	WITH_VALUE("as-uid"),
	WITH_VALUE("as-user-extra"),
	WITH_VALUE("cache-dir"),
	WITH_VALUE("client-certificate"),
	WITH_VALUE("client-key"),
	WITH_VALUE("cluster"),
	WITH_VALUE("context"),
	SWITCH("disable-compression"),
	SWITCH("insecure-skip-tls-verify"),
	WITH_VALUE("kubeconfig"),
	{"namespace", 'n', "VALUE", OPTION_HIDDEN, NULL, 0},
	WITH_VALUE("request-timeout"),
	{"server", 's', "VALUE", OPTION_HIDDEN, NULL, 0},
	WITH_VALUE("tls-server-name"),
	WITH_VALUE("token"),
	WITH_VALUE("user"),
	{NULL, 0, NULL, 0, NULL, 0},
};

static error_t ignore(int key, char *value, struct argp_state *state)
{
	(void)value;
	(void)state;
	return key == KEY_IGNORED || key == 'n' || key == 's' ? 0 : ARGP_ERR_UNKNOWN;
}

const struct argp options_compat = {ignored, ignore, NULL, NULL, NULL, NULL, NULL};
