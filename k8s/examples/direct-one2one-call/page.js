// Two browsers in a room. Both may use the relay only, so each sees nothing of the other but a relayed address.

const element = (id) => document.getElementById(id);
let connection;

async function call(room) {
  const settings = await (await fetch('ice')).json();
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
  element('local').srcObject = media;

  const signalling = new WebSocket(`${location.href.replace(/^http/, 'ws')}call?room=${encodeURIComponent(room)}`);
  const tell = (message) => signalling.send(JSON.stringify(message));
  connection = new RTCPeerConnection({ ...settings, iceTransportPolicy: 'relay' });
  connection.onicecandidate = ({ candidate }) => candidate && tell({ candidate });
  connection.ontrack = ({ streams }) => { element('remote').srcObject = streams[0]; };
  connection.onconnectionstatechange = () => { element('state').value = connection.connectionState; };

  for (const track of media.getTracks()) connection.addTrack(track, media);

  let arrived = Promise.resolve(); // messages are worked through one after another
  signalling.onmessage = ({ data }) => { arrived = arrived.then(() => hear(JSON.parse(data), tell)); };
  signalling.onclose = () => connection.close();
}

async function hear(message, tell) {
  if (message.call) {
    await connection.setLocalDescription();
    tell({ description: connection.localDescription });
  } else if (message.description) {
    await connection.setRemoteDescription(message.description);
    if (message.description.type === 'offer') {
      await connection.setLocalDescription();
      tell({ description: connection.localDescription });
    }
  } else if (message.candidate) {
    await connection.addIceCandidate(message.candidate);
  }
}

element('form').onsubmit = (event) => {
  event.preventDefault();
  call(element('room').value).catch((error) => { element('state').value = error; });
};
