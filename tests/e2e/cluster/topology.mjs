// The network of the Janus document, and a cluster on its host:
//
//     client ── router ───── internet ───── host ─┬─ relay pod
//   192.168.1.2   NAT     STUN: 192.0.2.1         └─ Janus pod
//
// The router translates addresses, as routers in homes do, and lets nothing in that nobody asked for. The host translates the pods'
// addresses (MASQUERADE), as docker and most clusters do. It is the namespace of this process.

import { Namespace, connect } from './namespace.mjs';

export const addresses = {
  client: '192.168.1.2', router: '203.0.113.2', stun: '192.0.2.1', host: '198.51.100.2', relay: '10.244.1.2', janus: '10.244.2.2',
};
export const JANUS_PORTS = '10000-12000';

const ROUTER_RULES = `
table ip router {
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }
  chain in {
    type filter hook input priority filter;
    iifname "wan" ct state new drop
  }
}`;

export async function build() {
  const host = Namespace.own();
  const [client, router, internet, relay, janus] = await Promise.all([1, 2, 3, 4, 5].map(() => Namespace.make()));
  connect([client, 'eth0', `${addresses.client}/24`], [router, 'lan', '192.168.1.1/24']);
  connect([router, 'wan', `${addresses.router}/24`], [internet, 'homes', '203.0.113.1/24']);
  connect([internet, 'clouds', '198.51.100.1/24'], [host, 'ext', `${addresses.host}/24`]);
  connect([host, 'pod-relay', '10.244.1.1/24'], [relay, 'eth0', `${addresses.relay}/24`]);
  connect([host, 'pod-janus', '10.244.2.1/24'], [janus, 'eth0', `${addresses.janus}/24`]);
  internet.run('ip', 'address', 'add', `${addresses.stun}/32`, 'dev', 'lo');
  client.route('default', '192.168.1.1');
  router.route('default', '203.0.113.1');
  host.route('default', '198.51.100.1');
  relay.route('default', '10.244.1.1');
  janus.route('default', '10.244.2.1');
  router.setFirewall(ROUTER_RULES);
  return { host, client, router, internet, relay, janus };
}

// Ports that the world sees on the host: [protocol, port, address in a pod, its port].
const published = {
  udp: ['udp', 3478, addresses.relay, 3478],
  tcp: ['tcp', 3478, addresses.relay, 3478],
  tls: ['tcp', 443, addresses.relay, 5349],
};
const signalling = ['tcp', 8089, addresses.janus, 8089];

const forwarded = ([protocol, port, pod, podPort]) => `iifname "ext" ${protocol} dport ${port} dnat to ${pod}:${podPort}`;

// What NetworkPolicies say: the relay alone sends to Janus. A direct call needs the holes that these exist to close.
const policies = {
  closed: `
    ip saddr ${addresses.relay} ip daddr ${addresses.janus} udp dport ${JANUS_PORTS} counter name to_janus accept
    ip saddr ${addresses.janus} ip daddr ${addresses.relay} udp dport 1024-65535 accept
    ip daddr ${addresses.janus} counter name refused drop`,
  direct: `
    ip saddr ${addresses.relay} ip daddr ${addresses.janus} udp dport ${JANUS_PORTS} counter name to_janus accept
    ip saddr ${addresses.janus} accept`,
};

// One state of the host. `transport`: the one way to the relay that is published. `firewall`: "open", or "drop" for what nobody asked for.
export function hostRules({ transport, policy = 'closed', firewall = 'open' }) {
  return `
table ip host {
  counter to_janus { }
  counter refused { }
  chain pre {
    type nat hook prerouting priority dstnat;
    ${[published[transport], signalling].map(forwarded).join('\n    ')}
  }
  chain post {
    type nat hook postrouting priority srcnat;
    ip saddr 10.244.0.0/16 oifname "ext" masquerade
  }
  chain in {
    type filter hook input priority filter;
    ${firewall === 'drop' ? 'iifname "ext" udp dport >= 1024 ct state new drop' : ''}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "ext" ct status dnat accept
    ${policies[policy]}
  }
}`;
}
