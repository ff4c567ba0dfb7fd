#include "capture/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/flows.h"
#include "capture/link.h"
#include "capture/paths.h"
#include "capture/read.h"
#include "capture/streams.h"

enum { TEXT_SIZE = 400, DAY_S = 86400 };

void capture_done(struct capture *c)
{
	script_free(&c->script);
	free(c->paths);
	*c = (struct capture){0};
}

const char *capture_reasons_format(const uint64_t reasons[static CAPTURE_REASONS], char *text, size_t size)
{
	static const char *const names[CAPTURE_REASONS] = {
		[LEFT_TCP] = "TCP",
		[LEFT_OTHER_IP] = "neither UDP nor TCP",
		[LEFT_NOT_IP] = "not IP",
		[LEFT_FRAGMENT] = "IP fragments",
		[LEFT_CUT] = "cut before the end of the UDP header",
		[LEFT_MALFORMED] = "with lengths that contradict each other",
		[LEFT_UNSEEN] = "UDP whose payload was not captured",
		[LEFT_DNS] = "DNS",
		[LEFT_STUN] = "STUN without media",
		[LEFT_RELAYED] = "between TURN server and peer",
		[LEFT_NOT_TURN] = "not TURN in a TURN flow",
		[LEFT_NO_MEDIA] = "other UDP",
		[LEFT_FEW] = "of small flows",
	};
	size_t used = 0;
	text[0] = '\0';
	for (int i = 0; i < CAPTURE_REASONS && used < size; i++)
		if (reasons[i] > 0)
			used += (size_t)snprintf(
				text + used, size - used, "%s%" PRIu64 " %s", used > 0 ? ", " : "", reasons[i], names[i]);
	return text;
}

/* What a person needs to know who expected media in it. */
static bool fail_without_media(const struct capture *c, const char *name, struct failure *failure)
{
	char text[TEXT_SIZE];
	uint64_t reasons[CAPTURE_REASONS];
	memcpy(reasons, c->reasons, sizeof reasons);
	if (c->packets_read == 0)
		return fail(failure, "%s: a capture without a packet", name);
	const char *hint = "";
	if (reasons[LEFT_TCP] > 0)
		hint = "; TURN inside TCP is not read";
	else if (reasons[LEFT_UNSEEN] > 0 || reasons[LEFT_CUT] > 0)
		hint = "; capture at least 96 bytes of each packet";
	capture_reasons_format(reasons, text, sizeof text);
	if (c->stun_packets > 0)
		return fail(failure, "%s: no media flow in %" PRIu64 " packets: %" PRIu64 " STUN with a TURN server%s%s%s", name,
			c->packets_read, c->stun_packets, text[0] != '\0' ? ", " : "", text, hint);
	return fail(failure, "%s: no media flow in %" PRIu64 " packets: %s%s", name, c->packets_read, text, hint);
}

static bool fill(struct traffic *t, const char *name, uint64_t packets_min, struct capture *c, struct failure *failure)
{
	struct failure why;
	c->packets_read = t->frames;
	c->truncated = t->frames_truncated;
	c->disordered = t->disordered;
	c->aggregates = t->aggregates;
	memcpy(c->reasons, t->left_out, sizeof c->reasons);
	traffic_sort(t);
	if (!flows_judge(t))
		return fail(failure, "%s: not enough memory for the flows of this capture", name);
	if (!paths_make(t, packets_min, c, &why))
		return fail(failure, "%s: %s", name, why.text);
	if (c->media_packets == 0)
		return fail_without_media(c, name, failure);
	for (int i = 0; i < CAPTURE_REASONS; i++)
		c->left_out += c->reasons[i];
	uint64_t last_ns = c->script.packets[c->script.packet_count - 1].at_ns;
	c->seconds = (double)last_ns / 1e9;
	if (c->seconds > DAY_S)
		return fail(failure,
			"%s: the media's time stamps span %.0f hours; cut it to the call, for instance with editcap -A and -B",
			name, c->seconds / 3600);
	c->script.length_ns = streams_loop_ns(&c->script);
	return streams_measure(&c->script, c->paths) || fail(failure, "%s: not enough memory for its figures", name);
}

bool capture_make(struct traffic *t, const char *name, uint64_t packets_min, struct capture *ret_capture, struct failure *failure)
{
	struct capture c = {0};
	if (!fill(t, name, packets_min, &c, failure)) {
		capture_done(&c);
		return false;
	}
	*ret_capture = c;
	return true;
}

/* Time stamps before 1970, or after what 64 bits of nanoseconds hold, are no times; they are brought into the range. */
static uint64_t stamp_ns(struct timeval stamp)
{
	if (stamp.tv_sec < 0)
		return 0;
	if ((uint64_t)stamp.tv_sec >= UINT64_MAX / 1000000000 - 1)
		return UINT64_MAX - 1000000000;
	uint64_t part_ns = stamp.tv_usec < 0 ? 0 : stamp.tv_usec > 999999999 ? 999999999 : (uint64_t)stamp.tv_usec;
	return (uint64_t)stamp.tv_sec * 1000000000 + part_ns;
}

static bool read_packets(pcap_t *pcap, const char *name, struct traffic *t, struct failure *failure)
{
	struct pcap_pkthdr *header;
	const uint8_t *data;
	struct failure why;
	int link_type = pcap_datalink(pcap), result;
	if (!link_known(link_type)) {
		const char *link_name = pcap_datalink_val_to_name(link_type);
		return fail(failure, "%s: link type %s (%d) is not read; Ethernet, Linux cooked, raw IP and loopback are", name,
			link_name != NULL ? link_name : "unknown", link_type);
	}
	while ((result = pcap_next_ex(pcap, &header, &data)) == 1)
		if (!traffic_add(t, link_type, stamp_ns(header->ts), bytes_of(data, header->caplen), header->len, &why))
			return fail(failure, "%s: %s", name, why.text);
	if (result == PCAP_ERROR_BREAK)
		return true;
	/* What cannot be read a position of, such as a pipe, says -1. */
	int64_t position = ftello(pcap_file(pcap));
	/* Nothing is wrong with the file then: libpcap reads one kind of interface only. */
	if (strstr(pcap_geterr(pcap), "an interface has a ") != NULL)
		return fail(failure,
			"%s: libpcap does not read its interfaces together (%s): 'editcap -F pcap' makes one of those of a type; "
			"capture others one by one",
			name, pcap_geterr(pcap));
	if (position < 0)
		return fail(failure, "%s: damaged after %" PRIu64 " packets: %s", name, t->frames, pcap_geterr(pcap));
	return fail(failure, "%s: damaged after %" PRIu64 " packets, before byte %" PRId64 ": %s", name, t->frames, position,
		pcap_geterr(pcap));
}

bool capture_read_file(FILE *file, const char *name, uint64_t packets_min, struct capture *ret_capture, struct failure *failure)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
	if (pcap == NULL) {
		fclose(file);
		return fail(failure, "%s: not a packet capture (pcap or pcapng): %.200s", name, error);
	}
	struct traffic t;
	traffic_init(&t);
	bool done = read_packets(pcap, name, &t, failure) && capture_make(&t, name, packets_min, ret_capture, failure);
	traffic_done(&t);
	pcap_close(pcap);
	return done;
}

bool capture_read(const char *path, uint64_t packets_min, struct capture *ret_capture, struct failure *failure)
{
	struct stat status;
	FILE *file = fopen(path, "rbe");
	if (file == NULL)
		return fail(failure, "%s: cannot be opened: %s", path, strerror(errno));
	const char *why = NULL;
	if (fstat(fileno(file), &status) != 0)
		why = strerror(errno);
	else if (S_ISDIR(status.st_mode))
		why = "a directory, not a packet capture";
	else if (S_ISREG(status.st_mode) && status.st_size == 0)
		why = "an empty file, not a packet capture";
	if (why == NULL)
		return capture_read_file(file, path, packets_min, ret_capture, failure);
	fclose(file);
	return fail(failure, "%s: %s", path, why);
}
