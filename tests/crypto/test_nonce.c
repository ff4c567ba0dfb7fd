#include "crypto/nonce.h"

#include <criterion/criterion.h>

static const uint8_t secret[NONCE_SECRET_SIZE] = "thirty-two bytes of a secret....";
static const uint8_t other_secret[NONCE_SECRET_SIZE] = "thirty-two bytes of another one.";
static const uint64_t now_s = 1795000000;

static struct addr client(void)
{
	return addr_ipv4(192, 0, 2, 7, 49152);
}

static struct bytes made(char buffer[static NONCE_SIZE], uint64_t wall_s)
{
	struct addr from = client();
	nonce_make(secret, &from, wall_s, buffer);
	return bytes_of(buffer, NONCE_SIZE);
}

static enum nonce_check check_at(struct bytes nonce, uint64_t wall_s)
{
	struct addr from = client();
	return nonce_check(secret, &from, wall_s, nonce);
}

Test(nonce, is_valid_for_its_lifetime_and_not_a_second_longer)
{
	char nonce[NONCE_SIZE];
	struct bytes n = made(nonce, now_s);
	cr_expect_eq(check_at(n, now_s), NONCE_VALID);
	cr_expect_eq(check_at(n, now_s + 1), NONCE_VALID);
	cr_expect_eq(check_at(n, now_s + NONCE_LIFETIME_S), NONCE_VALID);
	cr_expect_eq(check_at(n, now_s + NONCE_LIFETIME_S + 1), NONCE_STALE);
	cr_expect_eq(check_at(n, now_s + 10 * NONCE_LIFETIME_S), NONCE_STALE);
}

Test(nonce, survives_the_rotation_of_the_key)
{
	/* Wherever in an epoch it is made: its whole life long. */
	for (uint64_t wall_s = now_s; wall_s < now_s + NONCE_LIFETIME_S; wall_s += 100) {
		char nonce[NONCE_SIZE];
		cr_assert_eq(check_at(made(nonce, wall_s), wall_s + NONCE_LIFETIME_S), NONCE_VALID, "made at %lu",
			(unsigned long)wall_s);
	}
}

Test(nonce, of_a_relay_whose_clock_is_a_minute_ahead_is_accepted_and_no_more)
{
	char nonce[NONCE_SIZE];
	struct bytes n = made(nonce, now_s);
	cr_expect_eq(check_at(n, now_s - 60), NONCE_VALID);
	cr_expect_eq(check_at(n, now_s - 61), NONCE_STALE);
	cr_expect_eq(check_at(n, now_s - 100000), NONCE_STALE);
}

Test(nonce, does_not_outlive_the_overflow_of_its_clock)
{
	char nonce[NONCE_SIZE];
	const uint64_t overflow = UINT64_C(1) << 32;
	cr_expect_eq(check_at(made(nonce, overflow - 10), overflow + 10), NONCE_VALID);
	cr_expect_eq(check_at(made(nonce, overflow + 10), overflow - 10), NONCE_VALID);
	cr_expect_eq(check_at(made(nonce, now_s), now_s + overflow), NONCE_STALE, "136 years later it is another epoch");
	cr_expect_eq(check_at(made(nonce, 10), 20), NONCE_VALID);
	cr_expect_eq(check_at(made(nonce, overflow - 10), 20), NONCE_STALE, "from before the beginning of time");
}

Test(nonce, of_another_client_is_stale)
{
	char nonce[NONCE_SIZE];
	struct bytes n = made(nonce, now_s);
	struct addr others[] = {
		addr_with_port(client(), 49153),
		addr_with_port(client(), 0),
		addr_ipv4(192, 0, 2, 8, 49152),
		/* The same bytes in another family. */
		{.ip = {192, 0, 2, 7}, .port = 49152, .family = ADDR_IPV6},
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		cr_expect_eq(nonce_check(secret, &others[i], now_s, n), NONCE_STALE, "client %zu", i);
}

Test(nonce, of_another_secret_is_stale)
{
	char nonce[NONCE_SIZE];
	struct addr from = client();
	nonce_make(other_secret, &from, now_s, nonce);
	cr_expect_eq(check_at(bytes_of(nonce, NONCE_SIZE), now_s), NONCE_STALE);
	cr_expect_eq(nonce_check(other_secret, &from, now_s, bytes_of(nonce, NONCE_SIZE)), NONCE_VALID);
}

Test(nonce, with_any_bit_changed_is_stale)
{
	char nonce[NONCE_SIZE];
	made(nonce, now_s);
	for (size_t bit = 0; bit < NONCE_SIZE * 8; bit++) {
		char forged[NONCE_SIZE];
		memcpy(forged, nonce, NONCE_SIZE);
		forged[bit / 8] ^= (char)(1 << bit % 8);
		cr_expect_eq(check_at(bytes_of(forged, NONCE_SIZE), now_s), NONCE_STALE, "bit %zu", bit);
	}
}

Test(nonce, of_any_other_size_is_stale)
{
	char nonce[NONCE_SIZE];
	made(nonce, now_s);
	for (size_t size = 0; size <= 128; size++) {
		if (size == NONCE_SIZE)
			continue;
		uint8_t *copy = malloc(size + !size);
		for (size_t i = 0; i < size; i++)
			copy[i] = (uint8_t)nonce[i % NONCE_SIZE];
		cr_expect_eq(check_at(bytes_of(copy, size), now_s), NONCE_STALE, "%zu bytes", size);
		free(copy);
	}
}

Test(nonce, consists_of_characters_that_need_no_quoting)
{
	for (uint64_t wall_s = now_s; wall_s < now_s + 2000; wall_s++) {
		char nonce[NONCE_SIZE + 1] = {0};
		made(nonce, wall_s);
		cr_assert_eq(
			strspn(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), NONCE_SIZE, "%s", nonce);
	}
}

Test(nonce, differs_from_second_to_second_and_client_to_client)
{
	char first[NONCE_SIZE], second[NONCE_SIZE];
	made(first, now_s);
	made(second, now_s + 1);
	cr_expect_arr_neq(first, second, NONCE_SIZE);
	struct addr other = addr_with_port(client(), 1);
	nonce_make(secret, &other, now_s, second);
	cr_expect_arr_neq(first, second, NONCE_SIZE);
	made(second, now_s);
	cr_expect_arr_eq(first, second, NONCE_SIZE, "the same question has the same answer, on every relay of a fleet");
}
