// One address in front of several relays, as kube-proxy makes it (its nftables mode): new flows go to the endpoints by turns, a client's
// later flows where its first went, and connection tracking keeps every flow where it is, also when its endpoint takes no new ones.

export class Service {
  constructor(host, address, port) {
    Object.assign(this, { host, address, port, endpoints: new Map() });
    this.change(`
      table ip service {
        chain pre {
          type nat hook prerouting priority dstnat;
        }
        chain choose { }
      }
      add rule ip service pre ip daddr ${address} udp dport ${port} jump choose`);
  }

  change(rules) {
    this.host.applyRules(rules);
  }

  // All rules of "choose" change at once.
  choose() {
    const names = [...this.endpoints.keys()];
    const sticky = names.map((name) => `add rule ip service choose ip saddr @clients-${name} goto to-${name}\n`);
    const turns = names.map((name, at) => `${at} : goto to-${name}`).join(', ');
    const choice = names.length ? `add rule ip service choose numgen inc mod ${names.length} vmap { ${turns} }\n` : '';
    return `flush chain ip service choose\n${sticky.join('')}${choice}`;
  }

  add(name, address) {
    this.endpoints.set(name, address);
    this.change(`
      table ip service {
        set clients-${name} {
          type ipv4_addr
          flags dynamic, timeout
          timeout 3h
        }
        chain to-${name} {
          update @clients-${name} { ip saddr }
          meta l4proto udp dnat to ${address}:${this.port}
        }
      }
      ${this.choose()}`);
  }

  // It is terminating, and serves: it keeps its flows and gets no new ones.
  takeOut(name) {
    this.endpoints.delete(name);
    this.change(`${this.choose()}
      delete chain ip service to-${name}
      delete set ip service clients-${name}`);
  }

  // It is gone: flows that still lead to it are forgotten, so that they may lead elsewhere.
  forget(name) {
    const address = this.endpoints.get(name);
    this.takeOut(name);
    this.host.run('sh', '-c', `conntrack -D -p udp --orig-dst ${this.address} --reply-src ${address} 2>/dev/null || true`);
  }
}
