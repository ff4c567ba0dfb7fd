#!/usr/bin/python3
"""Brings two browsers together: whatever one of a room says over its WebSocket, the other is told. No media comes here."""

import pathlib
import sys

from aiohttp import WSMsgType, web

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from web import application, serve  # noqa: E402

MESSAGE_BYTES_MAX = 65536
ROOMS_MAX = 1000
rooms = {}


async def join(request):
    """GET /call?room=NAME, a WebSocket. The second to come is told to call."""
    name = request.query.get("room", "")
    if len(rooms) >= ROOMS_MAX and name not in rooms or len(rooms.get(name, ())) == 2:
        raise web.HTTPConflict(text="the room is taken")
    mine = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, heartbeat=20)
    await mine.prepare(request)
    room = rooms.setdefault(name, [])
    room.append(mine)
    if len(room) == 2:
        await mine.send_json({"call": True})
    async for message in mine:
        if message.type == WSMsgType.TEXT:
            for other in room:
                if other is not mine:
                    await other.send_str(message.data)
    room.remove(mine)
    for other in room:
        await other.close()
    if not room:
        rooms.pop(name, None)
    return mine


if __name__ == "__main__":
    app = application(HERE)
    app.router.add_get("/call", join)
    serve(app)
