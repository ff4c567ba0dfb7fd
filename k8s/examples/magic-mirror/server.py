#!/usr/bin/python3
"""A magic mirror: the browser's own picture comes back as a mirror shows it, in a golden frame; its sound comes back as it is."""

import pathlib
import sys

import av
import numpy
from aiortc import MediaStreamTrack

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from media import answer, messages, peer_connection, signalling, take_offer  # noqa: E402
from web import application, serve  # noqa: E402

GOLD = (212, 175, 55)


def mirrored(frame):
    picture = numpy.ascontiguousarray(frame.to_ndarray(format="rgb24")[:, ::-1])
    width = max(8, picture.shape[0] // 12)
    for edge in (picture[:width], picture[-width:], picture[:, :width], picture[:, -width:]):
        edge[:] = GOLD
    result = av.VideoFrame.from_ndarray(picture, format="rgb24")
    result.pts, result.time_base = frame.pts, frame.time_base
    return result


class Mirror(MediaStreamTrack):
    kind = "video"

    def __init__(self, track):
        super().__init__()
        self.track = track

    async def recv(self):
        return mirrored(await self.track.recv())


async def look(request):
    """GET /mirror, a WebSocket: the browser's offer comes, the answer goes."""
    socket = await signalling(request)
    connection = peer_connection()
    try:
        async for offer in messages(socket):
            tracks = await take_offer(connection, offer)
            connection.addTrack(Mirror(tracks["video"]))
            connection.addTrack(tracks["audio"])
            await socket.send_json(await answer(connection))
    finally:
        await connection.close()
    return socket


if __name__ == "__main__":
    app = application(HERE)
    app.router.add_get("/mirror", look)
    serve(app)
