/*
 * fuzz_record - a peer that seals, tampers, cuts, replays and makes things up, in every version and with every cipher: what was
 * tampered with is never taken for data, what was not always is, and every walk over records gets on.
 *
 * Input: version and cipher in the first byte, then commands of one byte each with their arguments.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "record_private.h"

enum { PLAIN_MAX = 1500, ROOM = 64, COMMANDS_MAX = 200 };
enum command { SEND_DATA, SEND_ANY, SEND_TAMPERED, SEND_CUT, SEND_AGAIN, SEND_RAW, UPDATE_KEY, LET_CONTROL, CLOSE, COMMANDS };

struct peers {
	struct record_layer client, server;
	uint8_t record[PLAIN_MAX + ROOM]; /* the last one that the client sealed */
	size_t record_size;
	bool over; /* a stream ends with the first refusal */
};

struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned take(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

static void peers_init(struct peers *p, unsigned choice)
{
	struct tls_keys keys = {.version = choice % TLS_VERSIONS, .aead = choice / TLS_VERSIONS % AEAD_KINDS};
	keys.read.key[0] = keys.write.iv[0] = 1;
	keys.read.sequence = keys.write.sequence = choice >= 128 ? 1000 : 1;
	FUZZ_CHECK(record_init(&p->server, &keys));
	struct tls_direction_keys swapped = keys.read;
	keys.read = keys.write;
	keys.write = swapped;
	FUZZ_CHECK(record_init(&p->client, &keys));
}

static bool is_dtls(const struct peers *p)
{
	return p->server.keys.version == TLS_VERSION_DTLS_1_2;
}

/* Opens what lies at the front. Returns the bytes that it takes; 0: the rest is of no use. */
static size_t open_one(struct peers *p, uint8_t *data, size_t size, enum record_verdict *ret_verdict, struct bytes *ret_plain)
{
	size_t consumed = 0;
	enum record_reason reason = RECORD_REASONS;
	*ret_verdict = record_open(&p->server, data, size, ret_plain, &consumed, &reason);
	FUZZ_CHECK(reason < RECORD_REASONS);
	FUZZ_CHECK((*ret_verdict == RECORD_REFUSED) == (reason != RECORD_FINE && *ret_verdict != RECORD_CONTROL));
	if (*ret_verdict == RECORD_INCOMPLETE) {
		FUZZ_CHECK(!is_dtls(p) && consumed > size && consumed <= RECORD_SIZE_MAX);
		return 0;
	}
	FUZZ_CHECK(consumed > 0 && consumed <= size);
	if (*ret_verdict == RECORD_DATA)
		FUZZ_CHECK(ret_plain->data >= data && ret_plain->data + ret_plain->size <= data + consumed);
	if (*ret_verdict == RECORD_REFUSED && !is_dtls(p))
		p->over = true;
	return p->over ? 0 : consumed;
}

/* Returns what became of the first record. */
static enum record_verdict deliver(struct peers *p, const uint8_t *data, size_t size, struct bytes expected)
{
	struct bytes copy = exact_copy(data, size), plain;
	enum record_verdict first = RECORD_INCOMPLETE, verdict;
	size_t consumed;
	for (size_t at = 0; at < size; at += consumed) {
		consumed = open_one(p, (uint8_t *)copy.data + at, size - at, &verdict, &plain);
		if (at == 0)
			first = verdict;
		if (at == 0 && verdict == RECORD_DATA && expected.data)
			FUZZ_CHECK(bytes_equal(plain, expected));
		if (consumed == 0)
			break;
	}
	exact_copy_free(copy);
	return first;
}

/* False: the client may not seal any more. */
static bool seal(struct peers *p, uint8_t type, const uint8_t *plain, size_t size)
{
	memcpy(p->record + p->client.head_size, plain, size);
	if (p->client.write_closed)
		return false;
	p->record_size = record_seal_as(&p->client, type, p->record + p->client.head_size, size);
	return p->record_size > 0;
}

static void send_data(struct peers *p, struct input *in, bool tampered)
{
	static uint8_t plain[PLAIN_MAX];
	size_t size = take(in) * 5;
	for (size_t i = 0; i < size; i++)
		plain[i] = (uint8_t)(i + size);
	bool fair = size > 0 || is_dtls(p); /* too many without data are refused */
	if (!seal(p, TYPE_DATA, plain, size))
		return;
	uint8_t change = (uint8_t)take(in);
	if (!tampered) {
		enum record_verdict verdict = deliver(p, p->record, p->record_size, bytes_of(plain, size));
		FUZZ_CHECK(!fair || verdict == RECORD_DATA);
		return;
	}
	p->record[(take(in) << 8 | take(in)) % p->record_size] ^= change;
	enum record_verdict verdict = deliver(p, p->record, p->record_size, bytes_of(plain, size));
	FUZZ_CHECK(change == 0 || (verdict != RECORD_DATA && verdict != RECORD_CLOSED));
	/* The stream has lost its step with the sender, whatever the verdict was. */
	p->over |= change != 0 && !is_dtls(p);
}

static void send_any(struct peers *p, struct input *in)
{
	uint8_t type = (uint8_t)take(in);
	size_t size = take(in);
	if (size > in->size)
		size = in->size;
	if (!seal(p, type, in->data, size))
		return;
	in->data += size;
	in->size -= size;
	enum record_verdict verdict = deliver(p, p->record, p->record_size, bytes_of(NULL, 0));
	/* A key update that the server has followed, and that the client has not made. */
	if (verdict == RECORD_CONTROL && type == TYPE_HANDSHAKE && p->server.keys.version == TLS_VERSION_1_3)
		p->over = true;
}

/* Whatever follows it must be under the next key. */
static void update_key(struct peers *p)
{
	if (p->client.keys.version != TLS_VERSION_1_3 || p->client.write_closed)
		return;
	p->client.control = CONTROL_KEY_UPDATE;
	size_t size = record_control(&p->client, p->record);
	p->record_size = 0;
	enum record_verdict verdict = deliver(p, p->record, size, bytes_of(NULL, 0));
	FUZZ_CHECK(verdict == RECORD_CONTROL || p->over);
}

static void send_cut(struct peers *p, struct input *in)
{
	if (p->record_size == 0)
		return;
	size_t size = (take(in) << 8 | take(in)) % p->record_size;
	enum record_verdict verdict = deliver(p, p->record, size, bytes_of(NULL, 0));
	FUZZ_CHECK(verdict != RECORD_DATA && verdict != RECORD_CLOSED);
}

static void send_again(struct peers *p)
{
	if (p->record_size == 0)
		return;
	enum record_verdict verdict = deliver(p, p->record, p->record_size, bytes_of(NULL, 0));
	if (is_dtls(p)) /* taken at most once; a second look at a tampered one changes nothing */
		FUZZ_CHECK(verdict == RECORD_REFUSED || verdict == RECORD_HANDSHAKE);
}

static void send_raw(struct peers *p, struct input *in)
{
	size_t size = take(in) << 8 | take(in);
	if (size > in->size)
		size = in->size;
	enum record_verdict verdict = deliver(p, in->data, size, bytes_of(NULL, 0));
	FUZZ_CHECK(verdict != RECORD_DATA && verdict != RECORD_CLOSED && verdict != RECORD_CONTROL);
	in->data += size;
	in->size -= size;
}

static void say(struct peers *p, bool goodbye, enum record_reason reason)
{
	struct bytes out = exact_copy((uint8_t[RECORD_CONTROL_SIZE_MAX]){0}, RECORD_CONTROL_SIZE_MAX);
	bool had = record_has_control(&p->server) && !p->server.write_closed;
	size_t size =
		goodbye ? record_close(&p->server, reason, (uint8_t *)out.data) : record_control(&p->server, (uint8_t *)out.data);
	FUZZ_CHECK(size <= RECORD_CONTROL_SIZE_MAX && (goodbye || had == (size > 0)) && !record_has_control(&p->server));
	exact_copy_free(out);
}

static void run(struct peers *p, enum command command, struct input *in)
{
	if (command == SEND_DATA || command == SEND_TAMPERED)
		send_data(p, in, command == SEND_TAMPERED);
	else if (command == SEND_ANY)
		send_any(p, in);
	else if (command == SEND_CUT)
		send_cut(p, in);
	else if (command == SEND_AGAIN)
		send_again(p);
	else if (command == SEND_RAW)
		send_raw(p, in);
	else if (command == UPDATE_KEY)
		update_key(p);
	else
		say(p, command == CLOSE, take(in) % RECORD_REASONS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct peers p;
	struct input in = {data, size};
	memset(&p, 0, sizeof p);
	peers_init(&p, take(&in));
	for (unsigned i = 0; i < COMMANDS_MAX && in.size > 0 && !p.over; i++)
		run(&p, take(&in) % COMMANDS, &in);
	record_done(&p.client);
	record_done(&p.server);
	return 0;
}
