#include "method_rules.h"

#include "allocation.h"
#include "authenticate.h"
#include "on.h"
#include "respond.h"

struct method_rule {
	enum stun_error (*handle)(struct request *request);
	bool authenticated;
	bool needs_allocation; /* a live one, of this 5-tuple: otherwise 437 */
};

/* clang-format off */
static const struct method_rule method_rules[16] = {
	/*                           handler                authenticated   needs_allocation */
	[STUN_BINDING]           = { on_binding,            false,          false },
	[STUN_ALLOCATE]          = { on_allocate,           true,           false },
	[STUN_REFRESH]           = { on_refresh,            true,           true  },
	[STUN_CREATE_PERMISSION] = { on_create_permission,  true,           true  },
	[STUN_CHANNEL_BIND]      = { on_channel_bind,       true,           true  },
};
/* clang-format on */

static const struct method_rule *method_rule(unsigned method)
{
	if (method >= sizeof method_rules / sizeof *method_rules || method_rules[method].handle == NULL)
		return NULL;
	return &method_rules[method];
}

/* The allocation of this flow. One past its time whose timer has not fired yet ends here, so that its 5-tuple is free. */
static struct allocation *current_allocation(
	struct turn *t, const struct flow *flow, const struct moment *now, struct turn_out *out)
{
	struct allocation *a = allocation_find(t, flow);
	if (a == NULL || now->mono_ns < a->expires_ns)
		return a;
	if (a->state == ALLOCATION_LIVE)
		counter_add(&t->counters.allocations_expired, 1);
	allocation_end(t, a, out);
	return NULL;
}

static enum stun_error check_and_handle(struct request *request, const struct method_rule *rule)
{
	uint16_t unknown[STUN_VIEW_ATTRIBUTES];
	/* RFC 8489 Section 11: the cookie is a must over DTLS. */
	if (request->view->classic && request->flow->transport == TRANSPORT_DTLS)
		return STUN_SERVER_ERROR;
	if (rule->authenticated) {
		request->allocation = current_allocation(request->t, request->flow, request->now, request->out);
		enum stun_error error = authenticate(request);
		if (error != STUN_OK)
			return error;
	}
	/* RFC 8489 Section 6.3.1: after authentication. Attributes that are known but have no meaning here are ignored. */
	if (unknown_attributes(request->view, unknown) > 0)
		return STUN_UNKNOWN_ATTRIBUTE;
	if (rule->needs_allocation && (request->allocation == NULL || request->allocation->state != ALLOCATION_LIVE))
		return STUN_ALLOCATION_MISMATCH;
	return rule->handle(request);
}

static enum verdict handle_request(struct turn *t, const struct flow *flow, const struct stun_view *view, enum stun_parse parse,
	const struct moment *now, struct turn_out *out)
{
	const struct method_rule *rule = method_rule(view->method);
	if (rule == NULL)
		return DROP_UNKNOWN_METHOD;
	counter_add(view->classic ? &t->counters.requests_classic : &t->counters.requests[view->method], 1);
	struct request request = {
		.t = t,
		.flow = flow,
		.view = view,
		.now = now,
		.out = out,
		.transaction = {.method = view->method, .integrity = INTEGRITY_NONE, .fingerprint = view->has_fingerprint},
		.verdict = ANSWERED,
	};
	memcpy(request.transaction.id, stun_view_request_id(view), sizeof request.transaction.id);
	enum stun_error error = parse == STUN_MALFORMED ? STUN_BAD_REQUEST : check_and_handle(&request, rule);
	return error == STUN_OK ? request.verdict : respond_refusal(&request, error);
}

/* RFC 3489 knew one request over UDP. Clients of today send it that way too: libnice does for Janus. A stream has no frames without
 * the cookie. */
static enum verdict classic_message(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out)
{
	struct stun_view view;
	if (flow_is_stream(flow) || stun_view_parse_classic(datagram, &view) != STUN_PARSED || view.method != STUN_BINDING ||
		view.class != STUN_REQUEST)
		return DROP_NOT_STUN;
	return handle_request(t, flow, &view, STUN_PARSED, now, out);
}

/* RFC 8489 Section 6.3.2. Send indications come another way, and Binding asks for nothing. */
static enum verdict take_indication(const struct stun_view *view)
{
	uint16_t unknown[STUN_VIEW_ATTRIBUTES];
	if (view->method != STUN_BINDING)
		return DROP_UNEXPECTED_CLASS;
	return unknown_attributes(view, unknown) > 0 ? DROP_UNKNOWN_ATTRIBUTE : KEEP_ALIVE;
}

enum verdict turn_message(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out)
{
	struct stun_view view;
	enum stun_parse parse = stun_view_parse(datagram, &view);
	if (parse == STUN_NOT_STUN)
		return classic_message(t, flow, datagram, now, out);
	if (parse == STUN_BAD_FINGERPRINT)
		return DROP_FINGERPRINT;
	if (view.class == STUN_REQUEST)
		return handle_request(t, flow, &view, parse, now, out);
	if (parse == STUN_MALFORMED)
		return DROP_MALFORMED;
	return view.class == STUN_INDICATION ? take_indication(&view) : DROP_UNEXPECTED_CLASS;
}
