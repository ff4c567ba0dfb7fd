/*
 * capture_rig - writes small captures into memory, and says in one line what was made of them.
 */
#ifndef UTURN_TESTS_CAPTURE_RIG_H
#define UTURN_TESTS_CAPTURE_RIG_H

#include "base/addr.h"
#include "base/bytes.h"
#include "capture/capture.h"
#include "wire/stun_format.h"

enum rig_format { RIG_MICRO, RIG_MICRO_BIG_ENDIAN, RIG_NANO, RIG_NG };

/* As files have them: the number of raw IP is not the one that libpcap gives. */
enum rig_link {
	RIG_NULL = 0,
	RIG_ETHERNET = 1,
	RIG_RAW = 101,
	RIG_LOOP = 108,
	RIG_COOKED = 113,
	RIG_IPV4 = 228,
	RIG_IPV6 = 229,
	RIG_COOKED_2 = 276
};

enum { RIG_SIZE_MAX = 1 << 20 };

struct rig {
	enum rig_format format;
	enum rig_link link;
	unsigned vlans;      /* tags of each frame */
	unsigned ip_options; /* bytes, a multiple of 4 (IPv4); extension headers of 8 bytes (IPv6): a header per 8 */
	size_t snap;         /* frames are cut after so many bytes; 0: not at all */
	size_t size;
	uint8_t *bytes; /* the file so far */
};

void rig_init(struct rig *r, enum rig_format format, enum rig_link link);
void rig_done(struct rig *r);

/* pcapng only: a further interface, whose time stamps count 10^-`decimals` s; rig_record's `interface` says of which a frame is. */
void rig_interface(struct rig *r, unsigned decimals);
void rig_record(struct rig *r, unsigned interface, uint64_t stamp, struct bytes frame);

/* A frame of any content. Its time is written as precisely as the format allows. */
void rig_frame(struct rig *r, uint64_t at_ns, struct bytes frame);
void rig_udp(struct rig *r, uint64_t at_ns, const struct addr *from, const struct addr *to, struct bytes payload);
/* The same, as frame only: written to `frame` of RIG_SIZE_MAX bytes; returns its size. */
size_t rig_udp_frame(const struct rig *r, const struct addr *from, const struct addr *to, struct bytes payload, uint8_t *frame);

/* Payloads; each lies in a buffer of its own kind until the next of that kind. `first` is the first byte of the data inside. */
struct bytes rig_plain(uint8_t first, size_t size);
struct bytes rig_channel_data(uint16_t channel, uint8_t first, size_t size);
struct bytes rig_indication(enum stun_method method, const struct addr *peer, uint8_t first, size_t size);
/* DATA before XOR-PEER-ADDRESS, as some clients write it. */
struct bytes rig_indication_data_first(enum stun_method method, const struct addr *peer, uint8_t first, size_t size);
/* With CHANNEL-NUMBER and XOR-PEER-ADDRESS (of Allocate: XOR-RELAYED-ADDRESS) where those are not 0 and NULL. */
struct bytes rig_stun(
	enum stun_method method, enum stun_class class, uint8_t transaction, uint16_t channel, const struct addr *peer);

/* Reads what was written, or its first `size` bytes. */
bool rig_read(const struct rig *r, struct capture *ret_capture, struct failure *failure);
bool rig_read_start(const struct rig *r, size_t size, uint64_t packets_min, struct capture *ret_capture, struct failure *failure);

/*
 * "0 1 | 0:0>100 20000:1<50 40000:1>60i" : each path's allocation ('-' after it: without a channel), then each packet's time in
 * microseconds, path, direction, size, and whether it goes in an indication. Checks on the way that the script keeps its contract.
 */
const char *rig_script(const struct script *s);
/* rig_read and rig_script; what fails gives the failure's line. */
const char *rig_text(const struct rig *r);

#endif
