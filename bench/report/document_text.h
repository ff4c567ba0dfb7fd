/*
 * document_text - figures of a RESULT as short texts for people. Private to document_print*.c.
 *
 * A RESULT may come from a file: what is missing or of another type reads as NAN or NULL and is shown as "-".
 */
#ifndef UTURN_BENCH_REPORT_DOCUMENT_TEXT_H
#define UTURN_BENCH_REPORT_DOCUMENT_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct text {
	char text[32];
};

/* The number under this key, or under a key of the object under the first key. */
double number_at(const json_t *object, const char *key);
double number_in(const json_t *object, const char *first, const char *key);
const char *text_at(const json_t *object, const char *key);
bool true_at(const json_t *object, const char *key);

/* "31.2 us", "1.25 ms", "2.10 s" */
struct text text_us(double us);
/* "812 ns", "31.2 us" */
struct text text_ns(double ns);
/* A whole number; a share as "0.0054 %"; seconds; "8.1 MiB"; a rate as "118.1 Mbit/s". */
struct text text_count(double count);
struct text text_percent(double share);
struct text text_seconds(double seconds);
struct text text_bytes(double bytes);
struct text text_bit_rate(double bit_per_s);
/* "3.21" */
struct text text_factor(double factor);

/* "core 0", "cores 0, 1"; nothing for an empty array. */
void print_cores(const json_t *cores, FILE *out);

/* The lines that every RESULT begins with: the workload, and the server. */
void print_head(const json_t *result, FILE *out);

/* The rows of a table of latencies; the head names the columns. */
void print_latency_head(FILE *out);
void print_latency(const char *name, const json_t *distribution, FILE *out);

/* What was agreed upon, where there is TLS. */
void print_tls(const json_t *result, FILE *out);

/* A call before and during what harms it, and how much it was harmed. */
void print_victims(const json_t *harmed, FILE *out);

/* RESULTs of one kind each, after their head. */
void print_load(const json_t *result, FILE *out);
void print_allocate(const json_t *result, FILE *out);
void print_attack(const json_t *result, FILE *out);
void print_connect(const json_t *result, FILE *out);
void print_handshakes(const json_t *result, FILE *out);
void print_find_max(const json_t *result, FILE *out);

#endif
