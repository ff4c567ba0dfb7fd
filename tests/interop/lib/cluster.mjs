// A small cluster of network namespaces, and what the kubelet, kube-proxy and a network plugin do to rendered manifests.
//
//	inet 198.51.100.2 ──── 198.51.100.1 node 10.244.0.1 ──┬── pod 10.244.0.10
//	     (browsers)          (this process)                └── pod 10.244.0.11 …
//
// There is no way from `inet` to a pod but the ports that a Service of type LoadBalancer publishes. Runs inside lib/sandbox, where the
// namespaces need no unique names and end with the test.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PUBLIC_ADDRESS = '198.51.100.1';
export const FIRST_POD = '10.244.0.10'; // the relay's, as k8s/base is applied first
const CLIENT_ADDRESS = '198.51.100.2';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function eventually(limitMs, what, condition) {
  const end = Date.now() + limitMs;
  for (;;) {
    let reason;
    try {
      const result = await condition();
      if (result) return result;
    } catch (error) {
      reason = error;
    }
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}${reason ? `: ${reason.message}` : ''}`);
    await sleep(100);
  }
}

function run(program, ...words) {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${program} ${words.join(' ')}: ${error.stderr || error.message}`);
  }
}

const ip = (line) => run('ip', ...line.split(' '));
const nft = (namespace, rules) => execFileSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], { input: rules });

// The objects of a kustomization, as `kubectl apply -k` would send them.
export function render(folder) {
  const text = run('kubectl', 'kustomize', folder);
  const toJson = 'import json, sys, yaml; json.dump([one for one in yaml.safe_load_all(sys.stdin) if one], sys.stdout)';
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', toJson], { input: text }));
}

const matches = (selector, labels) => Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);

export class Cluster {
  // programs: { image without tag: (command line) => command line }
  constructor(programs) {
    this.programs = programs;
    this.directory = mkdtempSync(join(tmpdir(), 'uturn-cluster-'));
    this.objects = [];
    this.pods = [];
    this.forwarded = [];
    ip('netns add inet');
    ip('link add inet0 type veth peer name out netns inet');
    ip('link add cni0 type bridge');
    for (const [device, address] of [['inet0', `${PUBLIC_ADDRESS}/24`], ['cni0', '10.244.0.1/24']]) {
      ip(`address add ${address} dev ${device}`);
      ip(`link set ${device} up`);
    }
    ip(`-n inet address add ${CLIENT_ADDRESS}/24 dev out`);
    ip('-n inet link set lo up');
    ip('-n inet link set out up');
    ip(`-n inet route add default via ${PUBLIC_ADDRESS}`);
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  }

  apply(objects) {
    for (const one of objects) {
      if (this.objects.some(({ kind, metadata }) => kind === one.kind && metadata.name === one.metadata.name)) {
        throw new Error(`two objects ${one.kind}/${one.metadata.name}`);
      }
      this.objects.push(one);
    }
    for (const one of objects.filter(({ kind }) => kind === 'Deployment')) this.startPod(one);
    this.publish();
    this.enforcePolicies();
  }

  find(kind, name) {
    const found = this.objects.find((one) => one.kind === kind && one.metadata.name === name);
    if (!found) throw new Error(`no ${kind}/${name} in the manifests`);
    return found;
  }

  startPod({ metadata, spec: { template } }) {
    const number = this.pods.length;
    const pod = { name: metadata.name, labels: template.metadata.labels, address: `10.244.0.${10 + number}`, processes: [] };
    ip(`netns add ${pod.name}`);
    ip(`link add pod${number} master cni0 type veth peer name eth0 netns ${pod.name}`);
    ip(`link set pod${number} up`);
    ip(`-n ${pod.name} link set lo up`);
    ip(`-n ${pod.name} address add ${pod.address}/24 dev eth0`);
    ip(`-n ${pod.name} link set eth0 up`);
    ip(`-n ${pod.name} route add default via 10.244.0.1`);
    for (const { name, value } of template.spec.securityContext?.sysctls ?? []) {
      run('ip', 'netns', 'exec', pod.name, 'sysctl', '-qw', `${name}=${value}`);
    }
    this.pods.push(pod);
    for (const container of template.spec.containers) this.startContainer(pod, template.spec, container);
  }

  environment(pod, container) {
    const result = { PATH: '/usr/bin:/bin', HOME: this.directory };
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      Object.assign(result, configMapRef ? this.find('ConfigMap', configMapRef.name).data : this.secret(secretRef.name));
    }
    const fields = { 'status.podIP': pod.address, 'status.hostIP': '10.244.0.1', 'spec.nodeName': 'node', 'metadata.namespace': 'default',
      'metadata.name': `${pod.name}-0` };
    for (const { name, value, valueFrom } of container.env ?? []) {
      if (valueFrom?.fieldRef) result[name] = fields[valueFrom.fieldRef.fieldPath];
      else if (valueFrom?.configMapKeyRef) result[name] = this.find('ConfigMap', valueFrom.configMapKeyRef.name).data[valueFrom.configMapKeyRef.key];
      else if (valueFrom?.secretKeyRef) result[name] = this.secret(valueFrom.secretKeyRef.name)[valueFrom.secretKeyRef.key];
      else result[name] = value.replace(/\$\((\w+)\)/g, (text, variable) => result[variable] ?? text);
    }
    return result;
  }

  secret(name) {
    const { data = {}, stringData = {} } = this.find('Secret', name);
    const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
    return { ...Object.fromEntries(decoded), ...stringData };
  }

  // Volumes of ConfigMaps and Secrets become folders; where the container's command line names one, it gets the folder's real place.
  placeVolumes(pod, spec, container, words) {
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const { configMap, secret } = spec.volumes.find((volume) => volume.name === name);
      if (!configMap && !secret) continue;
      const files = configMap ? this.find('ConfigMap', configMap.name).data : this.secret(secret.secretName);
      const folder = join(this.directory, pod.name, name);
      mkdirSync(folder, { recursive: true });
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
      words = words.map((word) => word.replaceAll(mountPath, folder));
    }
    return words;
  }

  startContainer(pod, spec, container) {
    const image = container.image.split('@')[0].replace(/:[^/]*$/, '').split('/').pop();
    const program = this.programs[image];
    if (!program) throw new Error(`no program stands for the image ${container.image}`);
    const words = program(this.placeVolumes(pod, spec, container, [...container.command ?? [], ...container.args ?? []]));
    const log = join(this.directory, `${pod.name}.${container.name}.log`);
    const output = openSync(log, 'a');
    const environment = Object.entries(this.environment(pod, container)).map(([name, value]) => `${name}=${value}`);
    const child = spawn('ip', ['netns', 'exec', pod.name, 'env', '-i', ...environment, ...words], { stdio: ['ignore', output, output] });
    pod.processes.push({ container, child, log });
  }

  // Until every readiness probe is answered.
  async ready() {
    for (const pod of this.pods) {
      for (const { container, child } of pod.processes) {
        const probe = container.readinessProbe?.httpGet;
        if (!probe) throw new Error(`${pod.name}: ${container.name} has no readinessProbe`);
        const port = container.ports.find(({ name }) => name === probe.port)?.containerPort ?? probe.port;
        await eventually(20_000, `${pod.name} is ready`, async () => {
          if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}`);
          return (await fetch(`http://${pod.address}:${port}${probe.path}`)).ok;
        });
      }
    }
  }

  pod(name) {
    return this.pods.find((one) => one.name === name);
  }

  // Services of type LoadBalancer at the node's public address; nothing else comes in.
  publish() {
    const rules = [...this.forwarded];
    for (const { kind, spec } of this.objects) {
      if (kind !== 'Service' || spec.type !== 'LoadBalancer') continue;
      const pod = this.pods.find(({ labels }) => matches(spec.selector, labels));
      if (!pod) continue;
      for (const { protocol = 'TCP', port, targetPort = port } of spec.ports) {
        rules.push(`ip daddr ${PUBLIC_ADDRESS} ${protocol.toLowerCase()} dport ${port} dnat to ${pod.address}:${this.portNumber(pod, targetPort)}`);
      }
    }
    execFileSync('nft', ['-f', '-'], { input: `
      table ip proxy
      delete table ip proxy
      table ip proxy {
        chain prerouting {
          type nat hook prerouting priority dstnat
          ${rules.join('\n          ')}
        }
        chain forward {
          type filter hook forward priority filter; policy drop
          ct state established,related accept
          ct status dnat accept
          iifname cni0 oifname cni0 accept
        }
      }
    ` });
  }

  // As `kubectl port-forward`, at the public address: what is to come to a pod by another way than its Service.
  forwardPort(name, port, podPort) {
    this.forwarded.push(`ip daddr ${PUBLIC_ADDRESS} tcp dport ${port} dnat to ${this.pod(name).address}:${podPort}`);
    this.publish();
  }

  portNumber(pod, port) {
    if (typeof port === 'number') return port;
    const named = pod.processes.flatMap(({ container }) => container.ports ?? []).find(({ name }) => name === port);
    if (!named) throw new Error(`${pod.name} has no port ${port}`);
    return named.containerPort;
  }

  // NetworkPolicies about egress, as a network plugin enforces them: a pod's own address is always open to it.
  enforcePolicies() {
    const policies = this.objects.filter(({ kind }) => kind === 'NetworkPolicy');
    for (const pod of this.pods) {
      const mine = policies.filter(({ spec }) => spec.policyTypes?.includes('Egress') && matches(spec.podSelector.matchLabels, pod.labels));
      if (mine.length === 0) continue;
      const rules = mine.flatMap(({ spec }) => spec.egress ?? []).flatMap((rule) => this.egressRules(rule));
      nft(pod.name, `
        table ip networkpolicy
        delete table ip networkpolicy
        table ip networkpolicy {
          chain output {
            type filter hook output priority filter; policy drop
            oifname lo accept
            ct state established,related accept
            ${rules.join('\n            ')}
          }
        }
      `);
    }
  }

  egressRules({ to = [], ports = [] }) {
    const places = to.length === 0 ? [''] : to.flatMap(({ podSelector, namespaceSelector, ipBlock }) => {
      if (ipBlock) return [`ip daddr ${ipBlock.cidr}${(ipBlock.except ?? []).map((one) => ` ip daddr != ${one}`).join('')}`];
      if (namespaceSelector && Object.keys(namespaceSelector.matchLabels ?? {}).length > 0) return [];
      return this.pods.filter(({ labels }) => matches(podSelector?.matchLabels, labels)).map(({ address }) => `ip daddr ${address}`);
    });
    const doors = ports.length === 0 ? [''] : ports.map(({ protocol = 'TCP', port, endPort }) => {
      const kind = protocol.toLowerCase();
      return port === undefined ? `meta l4proto ${kind}` : `${kind} dport ${endPort ? `${port}-${endPort}` : port}`;
    });
    return places.flatMap((place) => doors.map((door) => `${place} ${door} accept`));
  }

  logs() {
    return this.pods.flatMap((pod) => pod.processes.map(({ log }) =>
      `--- ${log.split('/').pop()}\n${readFileSync(log, 'utf8').split('\n').slice(-40).join('\n')}`)).join('\n');
  }
}
