/*
 * options_compat - options that stunnerd takes from kubectl, and that mean nothing here: accepted, without effect.
 */
#ifndef UTURN_SRC_SERVER_OPTIONS_COMPAT_H
#define UTURN_SRC_SERVER_OPTIONS_COMPAT_H

#include <argp.h>

extern const struct argp options_compat;

#endif
