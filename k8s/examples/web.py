"""web - what the demos' web servers have in common: their page, and the ICE servers that the page is told.

ICE servers come from the credential endpoint of the relay (or of stunner-auth-service) when STUNNER_AUTH_URL names it, and from the
STUNNER_* variables of the relay's own configuration otherwise, which an `envFrom` of its ConfigMap gives to a pod.
"""

import base64
import hashlib
import hmac
import os
import pathlib
import time

import aiohttp
from aiohttp import web


def credentials(environment):
    """User name and password: the configured ones, or fresh ones that are good for STUNNER_DURATION seconds."""
    if environment.get("STUNNER_AUTH_TYPE", "static") in ("static", "plaintext"):
        return environment["STUNNER_USERNAME"], environment["STUNNER_PASSWORD"]
    secret = environment.get("STUNNER_SHARED_SECRET") or environment["STUNNER_SECRET"]
    username = f"{int(time.time()) + int(environment.get('STUNNER_DURATION', 86400))}:demo"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def configured_ice(environment):
    username, password = credentials(environment)
    place = f"{environment['STUNNER_PUBLIC_ADDR']}:{environment.get('STUNNER_PUBLIC_PORT') or 3478}"
    transports = [name for name, default in (("udp", "1"), ("tcp", "")) if environment.get(f"STUNNER_TRANSPORT_{name.upper()}_ENABLE", default) == "1"]
    urls = [f"turn:{place}?transport={name}" for name in transports]
    return {"iceServers": [{"urls": urls, "username": username, "credential": password}], "iceTransportPolicy": "relay"}


async def ice(request):
    """GET /ice: what the page gives to RTCPeerConnection."""
    endpoint = os.environ.get("STUNNER_AUTH_URL")
    if not endpoint:
        return web.json_response(configured_ice(os.environ))
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(endpoint, params={"service": "turn", "iceTransportPolicy": "relay"}) as answer:
        answer.raise_for_status()
        return web.json_response(await answer.json())


def application(folder):
    """A web server with the folder's page and /ice; the demo adds its own routes."""
    folder = pathlib.Path(folder)
    app = web.Application()
    app.router.add_get("/", lambda request: web.FileResponse(folder / "page.html"))
    app.router.add_get("/page.js", lambda request: web.FileResponse(folder / "page.js"))
    app.router.add_get("/ice", ice)
    app.router.add_get("/live", lambda request: web.Response())
    return app


def serve(app):
    web.run_app(app, port=int(os.environ.get("PORT", 8080)), print=None)
