#!/usr/bin/python3
"""A call of two browsers through a media server: each talks to this server only, which gives each the other's picture and sound."""

import asyncio
import pathlib
import sys

from aiohttp import web

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from media import answer, messages, peer_connection, signalling, take_offer  # noqa: E402
from web import application, serve  # noqa: E402

ROOMS_MAX = 100
PATIENCE_S = 60
rooms = {}


class Room:
    """The tracks of the first and of the second to come."""

    def __init__(self):
        self.tracks = []
        self.full = asyncio.Event()

    def add(self, tracks):
        self.tracks.append(tracks)
        if len(self.tracks) == 2:
            self.full.set()

    async def others(self, tracks):
        await asyncio.wait_for(self.full.wait(), PATIENCE_S)
        return next(other for other in self.tracks if other is not tracks)


async def join(request):
    """GET /call?room=NAME, a WebSocket: an offer comes, and the answer goes as soon as two are there."""
    name = request.query.get("room", "")
    if len(rooms) >= ROOMS_MAX and name not in rooms or name in rooms and rooms[name].full.is_set():
        raise web.HTTPConflict(text="the room is taken")
    room = rooms.setdefault(name, Room())
    socket = await signalling(request)
    connection = peer_connection()
    try:
        async for offer in messages(socket):
            mine = await take_offer(connection, offer)
            room.add(mine)
            theirs = await room.others(mine)
            for kind in mine:
                connection.addTrack(theirs[kind])
            await socket.send_json(await answer(connection))
    finally:
        rooms.pop(name, None)
        await connection.close()
    return socket


if __name__ == "__main__":
    app = application(HERE)
    app.router.add_get("/call", join)
    serve(app)
