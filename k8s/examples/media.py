"""media - a browser's call with a media server in a pod: aiortc with nothing but the pod's own address.

There is no STUN or TURN server here and no public address: the browser's relayed address is what this server sends to, and the relay
reaches the pod by its address in the cluster.
"""

from aiohttp import WSMsgType, web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

MESSAGE_BYTES_MAX = 65536


def peer_connection():
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def signalling(request):
    socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, heartbeat=20)
    await socket.prepare(request)
    return socket


async def messages(socket):
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            yield message.json()


async def take_offer(connection, offer):
    """The browser's tracks, by kind."""
    await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
    return {receiver.track.kind: receiver.track for receiver in connection.getReceivers()}


async def answer(connection):
    await connection.setLocalDescription(await connection.createAnswer())
    description = connection.localDescription
    return {"sdp": description.sdp, "type": description.type}
