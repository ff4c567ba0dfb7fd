#include "turncat/lookup.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <strings.h>

void resolver_done(struct resolver *resolver)
{
	if (resolver->dns != NULL)
		evdns_base_free(resolver->dns, 0);
	resolver->dns = NULL;
}

static bool make_dns(struct resolver *resolver)
{
	if (resolver->dns != NULL)
		return true;
	resolver->dns = evdns_base_new(resolver->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (resolver->dns == NULL)
		return false;
	evdns_base_set_option(resolver->dns, "timeout:", "2");
	evdns_base_set_option(resolver->dns, "attempts:", "3");
	/* Names in mixed case against forgers confuse some name servers, and what is asked here is not what they forge. */
	evdns_base_set_option(resolver->dns, "randomize-case:", "0");
	return true;
}

/* An answer outlives the lookup that was cancelled, and says so. */
static void on_answer(int error, struct evutil_addrinfo *list, void *context)
{
	struct lookup *l = context;
	struct addr addrs[LOOKUP_MAX];
	unsigned count = 0;
	if (error == EVUTIL_EAI_CANCEL)
		return;
	l->request = NULL;
	for (const struct evutil_addrinfo *a = list; a != NULL && count < LOOKUP_MAX; a = a->ai_next) {
		struct addr addr = addr_from_sockaddr(a->ai_addr);
		if (addr.family != ADDR_NONE)
			addrs[count++] = addr_with_port(addr, l->port);
	}
	if (list != NULL)
		evutil_freeaddrinfo(list);
	const char *why = error == EVUTIL_EAI_NONAME || error == EVUTIL_EAI_NODATA ? "no such host"
			  : error == EVUTIL_EAI_AGAIN || error == EVUTIL_EAI_FAIL  ? "the name servers do not answer"
			  : error != 0                                             ? evutil_gai_strerror(error)
			  : count == 0                                             ? "it has no address"
										   : NULL;
	l->done(l->owner, addrs, count, why);
}

/* -1: it is a name. */
static int known_addresses(const struct spec_host *host, struct addr addrs[static 2])
{
	if (addr_parse_ip(host->name, &addrs[0])) {
		addrs[0].port = host->port;
		return 1;
	}
	if (strcasecmp(host->name, "localhost") != 0)
		return -1;
	addrs[0] = addr_loopback(ADDR_IPV4, host->port);
	addrs[1] = addr_loopback(ADDR_IPV6, host->port);
	return 2;
}

void lookup_start(struct lookup *l, struct resolver *resolver, const struct spec_host *host, lookup_done_fn *done, void *owner)
{
	struct addr addrs[2];
	int count = known_addresses(host, addrs);
	*l = (struct lookup){.done = done, .owner = owner, .port = host->port};
	if (count > 0) {
		done(owner, addrs, (unsigned)count, NULL);
		return;
	}
	if (!make_dns(resolver)) {
		done(owner, NULL, 0, "the system's resolver configuration cannot be read (/etc/resolv.conf)");
		return;
	}
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
	/* NULL where the answer was there at once. */
	l->request = evdns_getaddrinfo(resolver->dns, host->name, NULL, &hints, on_answer, l);
}

void lookup_cancel(struct lookup *l)
{
	if (l->request != NULL)
		evdns_getaddrinfo_cancel(l->request);
	l->request = NULL;
}
