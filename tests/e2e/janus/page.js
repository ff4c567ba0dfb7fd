// A client of Janus, as an application would write it with janus.js. What a test calls here stands at the end.

/* global adapter, Janus */

const CAMERA = { width: 320, height: 240, frameRate: 15 };
const seconds = () => performance.now() / 1000;
const calls = new Map();
let session;

// Every connection remembers when it had both descriptions, when it was connected, and what its candidates were.
class WatchedConnection extends RTCPeerConnection {
  constructor(...settings) {
    super(...settings);
    this.times = {};
    this.candidateTypes = [];
    this.candidateErrors = [];
    const mark = (name) => { this.times[name] ??= seconds(); };
    this.addEventListener('signalingstatechange', () => { if (this.signalingState === 'stable') mark('described'); });
    this.addEventListener('iceconnectionstatechange', () => mark(`ice-${this.iceConnectionState}`));
    this.addEventListener('connectionstatechange', () => mark(this.connectionState));
    this.addEventListener('icecandidate', ({ candidate }) => { if (candidate?.type) this.candidateTypes.push(candidate.type); });
    this.addEventListener('icecandidateerror', ({ errorCode }) => this.candidateErrors.push(errorCode));
  }
}
globalThis.RTCPeerConnection = WatchedConnection;

function showTrack(track, on) {
  if (!on || document.getElementById(track.id)) return;
  const video = document.createElement(track.kind);
  Object.assign(video, { id: track.id, autoplay: true, playsInline: true, muted: true, srcObject: new MediaStream([track]) });
  document.getElementById('videos').append(video);
}

// One handle of a plugin: what Janus says comes out of next(), in order.
class Call {
  constructor() {
    this.said = [];
    this.waiting = [];
    this.dataOpen = new Promise((resolve) => { this.opened = resolve; });
    this.hungUp = new Promise((resolve) => { this.hangUp = resolve; });
    this.texts = [];
    this.ondata = (data) => this.texts.push(data);
  }

  attach(session, plugin) {
    return new Promise((resolve, reject) => {
      session.attach({
        plugin,
        success: (handle) => resolve(Object.assign(this, { handle })),
        error: (error) => reject(new Error(`attach: ${error}`)),
        onmessage: (message, jsep) => this.say({ message, jsep }),
        webrtcState: (up, reason) => { if (!up) this.hangUp(reason); },
        onremotetrack: (track, mid, on) => showTrack(track, on),
        ondataopen: () => this.opened(),
        ondata: (data) => this.ondata(data),
      });
    });
  }

  // janus.js forgets it when Janus hangs up.
  get connection() {
    this.lastConnection = this.handle.webrtcStuff.pc ?? this.lastConnection;
    return this.lastConnection;
  }

  say(event) {
    const waiting = this.waiting.shift();
    if (waiting) waiting(event);
    else this.said.push(event);
  }

  // The next event that the plugin did not send by itself.
  async next(wanted) {
    for (;;) {
      const event = this.said.shift() ?? await new Promise((resolve) => { this.waiting.push(resolve); });
      if (event.message.error) throw new Error(`Janus: ${event.message.error}`);
      if (wanted(event)) return event;
    }
  }

  describe(method, options) {
    return new Promise((resolve, reject) => {
      this.handle[method]({ ...options, success: resolve, error: (error) => reject(new Error(`${method}: ${error}`)) });
    });
  }

  // Offers, and takes the answer.
  async offer(message, options) {
    const jsep = await this.describe('createOffer', options);
    this.handle.send({ message, jsep });
    const answer = await this.next((event) => event.jsep);
    await this.describe('handleRemoteJsep', { jsep: answer.jsep });
  }

  async isConnected() {
    const { connection } = this;
    await new Promise((resolve, reject) => {
      const look = () => {
        if (connection.connectionState === 'connected') resolve();
        if (connection.connectionState === 'failed') reject(new Error('the connection failed'));
      };
      connection.addEventListener('connectionstatechange', look);
      this.hungUp.then((reason) => reject(new Error(`Janus hung up: ${reason}`)));
      look();
    });
  }

  async reports() {
    const reports = new Map();
    (await this.connection.getStats()).forEach((report) => reports.set(report.id, report));
    return reports;
  }
}

async function newCall(name, plugin) {
  const call = await new Call().attach(session, plugin);
  calls.set(name, call);
  return call;
}

// A check has been sent to an address that is not in a pod.
async function firstCheckSent(call) {
  for (;;) {
    const reports = await call.reports();
    const early = [...reports.values()].some((report) => report.type === 'candidate-pair' && report.requestsSent > 0
      && reports.get(report.remoteCandidateId)?.candidateType === 'srflx');
    if (early) return;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

const capture = (recv) => [
  { type: 'audio', capture: true, recv }, { type: 'video', capture: { ...CAMERA }, recv }, { type: 'data' },
];

// --- what tests call: each names the call that it means -------------------------------------------------------------------------

globalThis.client = {
  // `settings`: server, iceServers, iceTransportPolicy. It comes first. A bundle from the start needs one allocation, not one for each track.
  async open(settings) {
    await new Promise((callback) => {
      Janus.init({ debug: ['warn', 'error'], dependencies: Janus.useDefaultDependencies({ adapter }), callback });
    });
    await new Promise((success, reject) => {
      session = new Janus({ ...settings, bundlePolicy: 'max-bundle', success, error: (error) => reject(new Error(`Janus: ${error}`)) });
    });
  },

  // Offers everything to the echo. It returns when the call is connected.
  async echo(name) {
    const call = await newCall(name, 'janus.plugin.echotest');
    await call.offer({ audio: true, video: true }, { tracks: capture(true) });
    await call.isConnected();
  },

  async publish(name, room, more = {}) {
    const call = await newCall(name, 'janus.plugin.videoroom');
    call.handle.send({ message: { request: 'join', ptype: 'publisher', room, display: name } });
    const { message } = await call.next((event) => event.message.videoroom === 'joined');
    await call.offer({ request: 'publish', ...more }, { tracks: capture(false) });
    await call.isConnected();
    return message.id;
  },

  // Janus offers. `late`: the answer is under way until the browser has sent its first check.
  async subscribe(name, room, feeds, { late = false } = {}) {
    const call = await newCall(name, 'janus.plugin.videoroom');
    call.handle.send({ message: { request: 'join', ptype: 'subscriber', room, streams: feeds.map((feed) => ({ feed })) } });
    const { jsep } = await call.next((event) => event.jsep);
    const answer = await call.describe('createAnswer', { jsep, tracks: [{ type: 'data' }] });
    if (late) await firstCheckSent(call);
    call.handle.send({ message: { request: 'start' }, jsep: answer });
    await call.isConnected();
  },

  // As applications do: when the connection is lost, and as long as it is, it is offered anew with new candidates.
  restartWhenLost(name, message) {
    const call = calls.get(name);
    const { connection } = call;
    const lost = () => ['disconnected', 'failed'].includes(connection.connectionState);
    connection.restarts = 0;
    const restart = async () => {
      if (!lost()) return;
      connection.restarts += 1;
      setTimeout(restart, 5000);
      await call.offer(message, { iceRestart: true });
    };
    connection.addEventListener('connectionstatechange', () => {
      if (lost() && connection.restarts === 0) {
        connection.times.lost = seconds();
        restart();
      }
      if (connection.restarts > 0 && connection.connectionState === 'connected') connection.times.back ??= seconds();
    });
  },

  // How often a message of these sizes came back as it was.
  async echoData(name, sizes) {
    const call = calls.get(name);
    await call.dataOpen;
    for (const size of sizes) {
      const sent = crypto.getRandomValues(new Uint8Array(size));
      const back = new Promise((resolve) => { call.ondata = resolve; });
      call.handle.data({ data: sent.buffer });
      const got = await back;
      const bytes = new Uint8Array(got instanceof Blob ? await got.arrayBuffer() : got);
      if (bytes.length !== size || !bytes.every((byte, at) => byte === sent[at])) throw new Error(`the echo of ${size} bytes differs`);
    }
    return sizes.length;
  },

  async sendText(name, text) {
    await calls.get(name).dataOpen;
    calls.get(name).handle.data({ data: text });
  },

  texts: (name) => calls.get(name).texts,

  state(name) {
    const { connectionState, times, candidateTypes, candidateErrors, restarts } = calls.get(name).connection;
    return { connectionState, times, candidateTypes, candidateErrors, restarts };
  },

  async stats(name) {
    const reports = await calls.get(name).reports();
    const all = [...reports.values()];
    const transport = all.find((report) => report.type === 'transport');
    const pair = reports.get(transport?.selectedCandidatePairId);
    const local = reports.get(pair?.localCandidateId);
    const remote = reports.get(pair?.remoteCandidateId);
    const inbound = (kind) => all.filter((report) => report.type === 'inbound-rtp' && report.kind === kind);
    return {
      at: seconds(),
      local: local?.candidateType, protocol: local?.relayProtocol ?? local?.protocol, relayedPort: local?.port,
      remote: remote?.address, remoteType: remote?.candidateType, remotePort: remote?.port,
      bytesSent: pair?.bytesSent ?? 0, bytesReceived: pair?.bytesReceived ?? 0,
      frames: inbound('video').map((report) => report.framesDecoded),
      audioBytes: inbound('audio').map((report) => report.bytesReceived),
      packets: [...inbound('audio'), ...inbound('video')].reduce((sum, report) => sum + report.packetsReceived, 0),
      lost: [...inbound('audio'), ...inbound('video')].reduce((sum, report) => sum + report.packetsLost, 0),
    };
  },

  async end(name) {
    await new Promise((resolve) => { calls.get(name).handle.detach({ success: resolve, error: resolve }); });
    calls.delete(name);
  },
};
