/*
 * on - what each method does, one file each. A handler starts with the facts of its line in method_rules true: it reads, checks,
 * makes sure that all it needs is there, and only then changes anything. It returns the error to refuse the request with, or
 * STUN_OK when it has answered, has set the request's verdict, or the answer is under way.
 */
#ifndef UTURN_TURN_ON_H
#define UTURN_TURN_ON_H

#include "turn_state.h"

enum stun_error on_binding(struct request *request);
enum stun_error on_allocate(struct request *request);
enum stun_error on_refresh(struct request *request);
enum stun_error on_create_permission(struct request *request);
enum stun_error on_channel_bind(struct request *request);

/* Attributes that several methods have. What is missing is no error, what is malformed is (RFC 8489 Section 6.3.1: 400). */

/* LIFETIME, bounded by the configuration; *ret_zero says that the client asked for none (RFC 8656 Section 7.2, Section 8.2). */
enum stun_error read_lifetime(const struct request *request, uint32_t *ret_lifetime_s, bool *ret_zero);

/* An attribute that names an address family: ADDR_NONE when it is missing, 440 when the family does not exist. */
enum stun_error read_family(const struct stun_view *view, uint16_t type, enum addr_family *ret_family);

#endif
