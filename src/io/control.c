#include "control.h"

#include <netinet/udp.h>
#include <string.h>

static void parse_ip(const struct cmsghdr *cmsg, size_t size, struct control *control)
{
	if (cmsg->cmsg_type == IP_TOS && size >= 1) {
		control->tos = *CMSG_DATA(cmsg);
	} else if (cmsg->cmsg_type == IP_PKTINFO && size >= sizeof(struct in_pktinfo)) {
		struct in_pktinfo info;
		memcpy(&info, CMSG_DATA(cmsg), sizeof info);
		control->to = (struct addr){.family = ADDR_IPV4};
		memcpy(control->to.ip, &info.ipi_addr, 4);
	}
}

static void parse_ipv6(const struct cmsghdr *cmsg, size_t size, struct control *control)
{
	if (cmsg->cmsg_type == IPV6_TCLASS && size >= sizeof(int)) {
		int traffic_class;
		memcpy(&traffic_class, CMSG_DATA(cmsg), sizeof traffic_class);
		control->tos = (uint8_t)traffic_class;
	} else if (cmsg->cmsg_type == IPV6_PKTINFO && size >= sizeof(struct in6_pktinfo)) {
		struct in6_pktinfo info;
		memcpy(&info, CMSG_DATA(cmsg), sizeof info);
		control->to = (struct addr){.family = ADDR_IPV6};
		memcpy(control->to.ip, &info.ipi6_addr, 16);
	}
}

static void parse_udp(const struct cmsghdr *cmsg, size_t size, struct control *control)
{
	/* The kernel writes an int, although what goes the other way (UDP_SEGMENT) is 16 bits. */
	int segment_size;
	if (cmsg->cmsg_type != UDP_GRO || size < sizeof segment_size)
		return;
	memcpy(&segment_size, CMSG_DATA(cmsg), sizeof segment_size);
	if (segment_size > 0 && segment_size <= UINT16_MAX)
		control->segment_size = (uint16_t)segment_size;
}

static void parse_socket(const struct cmsghdr *cmsg, size_t size, struct control *control)
{
	if (cmsg->cmsg_type == SO_RXQ_OVFL && size >= sizeof control->drops)
		memcpy(&control->drops, CMSG_DATA(cmsg), sizeof control->drops);
}

void control_parse(const void *control, size_t size, struct control *ret_control)
{
	*ret_control = (struct control){0};
	size_t offset = 0;
	while (size - offset >= sizeof(struct cmsghdr)) {
		const struct cmsghdr *cmsg = (const struct cmsghdr *)((const uint8_t *)control + offset);
		if (cmsg->cmsg_len < sizeof *cmsg || cmsg->cmsg_len > size - offset)
			return;
		size_t data_size = cmsg->cmsg_len - CMSG_LEN(0);
		if (cmsg->cmsg_level == IPPROTO_IP)
			parse_ip(cmsg, data_size, ret_control);
		else if (cmsg->cmsg_level == IPPROTO_UDP)
			parse_udp(cmsg, data_size, ret_control);
		else if (cmsg->cmsg_level == IPPROTO_IPV6)
			parse_ipv6(cmsg, data_size, ret_control);
		else if (cmsg->cmsg_level == SOL_SOCKET)
			parse_socket(cmsg, data_size, ret_control);
		if (CMSG_ALIGN(cmsg->cmsg_len) >= size - offset)
			return;
		offset += CMSG_ALIGN(cmsg->cmsg_len);
	}
}
