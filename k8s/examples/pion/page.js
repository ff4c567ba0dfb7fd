// The browser offers its picture and sound to the media server, by way of the relay, and shows what comes back.

const element = (id) => document.getElementById(id);
let connection;

// All candidates go with the offer: there are few, as only the relay may be used.
async function gathered() {
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }));
  }
}

async function call() {
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

  const answer = await fetch('offer', { method: 'POST', body: JSON.stringify(connection.localDescription) });
  if (!answer.ok) throw new Error(await answer.text());
  await connection.setRemoteDescription(await answer.json());
}

element('form').onsubmit = (event) => {
  event.preventDefault();
  call().catch((error) => { element('state').value = error; });
};
