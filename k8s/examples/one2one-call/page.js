// The browser offers its picture and sound to the media server, by way of the relay, and shows what the other one's camera sees.

const element = (id) => document.getElementById(id);
let connection;

// All candidates go with the offer: there are few, as only the relay may be used.
async function gathered() {
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }));
  }
}

async function call(room) {
  const settings = await (await fetch('ice')).json();
  connection = new RTCPeerConnection({ ...settings, iceTransportPolicy: 'relay' });
  connection.ontrack = ({ track }) => {
    const remote = element('remote');
    remote.srcObject ??= new MediaStream();
    remote.srcObject.addTrack(track);
  };
  connection.onconnectionstatechange = () => { element('state').value = connection.connectionState; };

  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
  element('local').srcObject = media;
  for (const track of media.getTracks()) connection.addTrack(track, media);
  await connection.setLocalDescription();
  await gathered();

  const signalling = new WebSocket(`${location.href.replace(/^http/, 'ws')}call?room=${encodeURIComponent(room)}`);
  signalling.onopen = () => signalling.send(JSON.stringify(connection.localDescription));
  signalling.onmessage = ({ data }) => connection.setRemoteDescription(JSON.parse(data));
  signalling.onclose = () => connection.close();
}

element('form').onsubmit = (event) => {
  event.preventDefault();
  call(element('room').value).catch((error) => { element('state').value = error; });
};
