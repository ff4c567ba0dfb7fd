/*
 * config_uri - the URIs that configurations are made of: turn://user:password@host:port?transport=udp (or turns:) and
 * http://host:port/path.
 */
#ifndef UTURN_SERVER_CONFIG_URI_H
#define UTURN_SERVER_CONFIG_URI_H

#include "server/config.h"

/*
 * User and password go to `auth`, host and port to *ret_address. NULL, or what is wrong and what would be right.
 * As in RFC 7065, turns: is TLS, and DTLS with transport=udp; turn: is UDP, and TCP with transport=tcp. transport=tls and
 * transport=dtls are understood too.
 */
const char *config_uri_parse_turn(
	const char *uri, struct config_auth *auth, struct addr *ret_address, enum config_protocol *ret_protocol);

/* "" is a server that is not wanted. NULL, or what is wrong and what would be right. */
const char *config_uri_parse_http(const char *uri, uint16_t default_port, struct config_http *ret_http);

/* "192.0.2.1:3478", "[2001:db8::1]:3478", and without a port. False: neither. */
bool config_address_parse(const char *text, uint16_t default_port, struct addr *ret_address);

/* An IP address or "localhost". */
bool config_host_parse(const char *text, struct addr *ret_ip);

#endif
