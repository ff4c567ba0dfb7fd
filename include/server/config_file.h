/*
 * config_file - a whole file in memory, without copies of it elsewhere: configurations and keys are secrets.
 */
#ifndef UTURN_SERVER_CONFIG_FILE_H
#define UTURN_SERVER_CONFIG_FILE_H

#include <stddef.h>

/* With a NUL behind it. NULL and *ret_error an errno otherwise (EFBIG: more than size_max). Who frees it wipes it first. */
char *config_file_read(const char *path, size_t size_max, size_t *ret_size, int *ret_error);

#endif
