// Two peer connections in one page, which may talk to each other through the relay only.

const call = { connections: [], channel: null, echoes: new Map() };

function exchangeCandidates(from, to) {
  from.onicecandidate = ({ candidate }) => {
    if (candidate) to.addIceCandidate(candidate).catch((error) => console.error(String(error)));
  };
}

function connected(connection) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (connection.connectionState === 'connected') resolve();
      if (connection.connectionState === 'failed') reject(new Error('the connection failed'));
    };
    connection.addEventListener('connectionstatechange', look);
    look();
  });
}

function opened(channel) {
  return new Promise((resolve) => (channel.readyState === 'open' ? resolve() : channel.addEventListener('open', resolve)));
}

// Where the processor is busy: fewer pictures rather than smaller ones. Browsers differ in which of the two ways they heed.
async function send(connection, track, stream) {
  if (track.kind === 'video') track.contentHint = 'detail';
  const sender = connection.addTrack(track, stream);
  if (track.kind !== 'video') return;
  const parameters = sender.getParameters();
  await sender.setParameters({ ...parameters, degradationPreference: 'maintain-resolution' });
}

// eslint-disable-next-line no-unused-vars
async function startCall(iceServers) {
  const settings = { iceServers, iceTransportPolicy: 'relay' };
  const one = new RTCPeerConnection(settings);
  const two = new RTCPeerConnection(settings);
  call.connections = [one, two];
  exchangeCandidates(one, two);
  exchangeCandidates(two, one);
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
  for (const [connection, sink] of [[one, 'one'], [two, 'two']]) {
    for (const track of media.getTracks()) await send(connection, track.clone(), media);
    connection.ontrack = ({ streams }) => { document.getElementById(sink).srcObject = streams[0]; };
  }
  two.ondatachannel = ({ channel }) => {
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => channel.send(data);
  };
  call.channel = one.createDataChannel('echo');
  call.channel.binaryType = 'arraybuffer';
  await one.setLocalDescription(await one.createOffer());
  await two.setRemoteDescription(one.localDescription);
  await two.setLocalDescription(await two.createAnswer());
  await one.setRemoteDescription(two.localDescription);
  await Promise.all([connected(one), connected(two), opened(call.channel)]);
  const { width, height } = media.getVideoTracks()[0].getSettings();
  return { width, height };
}

// What each side has received, and by which candidates.
// eslint-disable-next-line no-unused-vars
async function callStats() {
  return Promise.all(call.connections.map(async (connection) => {
    const reports = new Map();
    (await connection.getStats()).forEach((report) => reports.set(report.id, report));
    const all = [...reports.values()];
    const inbound = (kind) => all.find((report) => report.type === 'inbound-rtp' && report.kind === kind) ?? {};
    const transport = all.find((report) => report.type === 'transport' && report.selectedCandidatePairId);
    const selected = ({ type, state, nominated }) => type === 'candidate-pair' && state === 'succeeded' && nominated;
    const pair = transport ? reports.get(transport.selectedCandidatePairId) : all.find(selected);
    return {
      framesDecoded: inbound('video').framesDecoded ?? 0,
      frameHeight: inbound('video').frameHeight ?? 0,
      videoLost: inbound('video').packetsLost ?? 0,
      audioBytes: inbound('audio').bytesReceived ?? 0,
      audioLost: inbound('audio').packetsLost ?? 0,
      local: pair && reports.get(pair.localCandidateId)?.candidateType,
      remote: pair && reports.get(pair.remoteCandidateId)?.candidateType,
    };
  }));
}

// Sends messages of these sizes, each when the last one's echo has come, and compares every byte.
// eslint-disable-next-line no-unused-vars
async function echo(sizes) {
  for (const size of sizes) {
    const sent = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(sent.subarray(at, Math.min(size, at + 65536)));
    const answer = new Promise((resolve) => { call.channel.onmessage = ({ data }) => resolve(new Uint8Array(data)); });
    call.channel.send(sent);
    const got = await answer;
    if (got.length !== size || !got.every((byte, at) => byte === sent[at])) throw new Error(`the echo of ${size} bytes differs`);
  }
  return sizes.length;
}

// eslint-disable-next-line no-unused-vars
function endCall() {
  for (const connection of call.connections) connection.close();
}
