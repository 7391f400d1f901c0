"""Answers the browser: pages, JSON, pictures and clips, on the loopback interface only.

Requests that read run in threads, so that a slow one does not hold up the others.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from eval.viewer import page
from eval.viewer.live import episodes
from eval.viewer.live.guard import Guard, Handler
from eval.viewer.live.index import PAGE, TELLING, Index, Live, Query, QueryError
from eval.viewer.live.pictures import Pictures
from eval.viewer.live.reviewing import Book
from videozoomer.reviews import ReviewError
from videozoomer.video.clip import ClipError

STATIC = Path(__file__).parent / "static"
SCRIPTS: dict[str, Path] = {
    "app.css": STATIC / "app.css",
    "page.css": page.FOLDER / "page.css",
    "drawing.js": page.FOLDER / "drawing.js",
    "list.js": STATIC / "list.js",
    "review.js": STATIC / "review.js",
    "episode.js": STATIC / "episode.js",
    "app.js": STATIC / "app.js",
}
TYPES = {".css": "text/css", ".js": "text/javascript"}
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Shown:
    """What a server shows."""

    live: Live
    pictures: Pictures
    name: str
    """Of the recipe or the folder, for the title."""
    skipped: tuple[str, ...] = ()
    """Rules that the recipe leaves out."""
    book: Book | None = None
    """Reviews; None shows none and takes none."""

    @property
    def blind(self) -> bool:
        """Whether verdicts, rules and what others decided are hidden."""
        return self.book is not None and self.book.blind

    def index(self) -> tuple[Index, int]:
        index, version = self.live.index()
        if self.book is not None:
            self.book.refresh(index)
        return index, version


def application(shown: Shown, guard: Guard) -> web.Application:
    app = web.Application(middlewares=[guard.middleware, _errors])
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/static/{name}", _static),
            web.get("/favicon.ico", _nothing),
            web.get("/api/state", _json(shown, _state)),
            web.get("/api/rows", _json(shown, _rows)),
            web.get("/api/facets", _json(shown, _facets)),
            web.get("/api/position", _json(shown, _position)),
            web.get("/api/neighbour", _json(shown, _neighbour)),
            web.get("/api/item", _json(shown, _item)),
            web.get("/api/samples", _json(shown, _samples)),
            web.get("/api/pairs", _json(shown, _pairs)),
            web.post("/api/review", partial(_review, shown)),
            web.get("/frame/{id}", partial(_frame, shown)),
            web.get("/clip", partial(_clip, shown)),
        ]
    )
    return app


async def serve(shown: Shown, listening: socket.socket, ready: Callable[[str], None]) -> None:
    """Answer until cancelled; `ready` gets the address to open, with its token."""
    port = listening.getsockname()[1]
    guard = Guard(port)
    runner = web.AppRunner(application(shown, guard), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        ready(f"http://{HOST}:{port}/?token={guard.token}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        shown.pictures.close()


def listen(port: int) -> socket.socket:
    """A socket on the loopback interface; port 0 takes any free one.

    Raises:
        OSError: the port is in use.
    """
    return socket.create_server((HOST, port))


def _query(asked: Mapping[str, Any], blind: bool = False) -> Query:
    return Query.parse([(name, value) for name, value in asked.items() if not (blind and name in TELLING)])


def _needed(asked: Mapping[str, Any], name: str) -> str:
    if not (value := asked.get(name)):
        raise QueryError(f"the address lacks {name}")
    return str(value)


def _number(asked: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = asked.get(name)
    if value is None and default is not None:
        return default
    try:
        number = float(_needed(asked, name))
    except ValueError as error:
        raise QueryError(f"{name} is no number: {value}") from error
    if not 0 <= number < 1e9:
        raise QueryError(f"{name} is out of range: {value}")
    return number


def _state(shown: Shown, index: Index, _: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": shown.name,
        "total": index.total,
        "blind": shown.blind,
        "reviews": shown.book is not None,
        **episodes.constants(),
    }


def _rows(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    skip, limit = int(_number(asked, "skip", 0)), int(_number(asked, "limit", PAGE))
    found = index.rows(_query(asked, shown.blind), asked.get("after") or None, skip, limit)
    if shown.blind:
        for row in found["rows"]:
            row.update(verdict=None, outcome=None, reasons=[])
    return found


def _facets(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    return index.facets(_query(asked, shown.blind), TELLING if shown.blind else ())


def _position(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"position": index.position(_query(asked, shown.blind), _needed(asked, "id"))}


def _neighbour(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    step = -1 if asked.get("step") == "-1" else 1
    return {"id": index.neighbour(_query(asked, shown.blind), _needed(asked, "id"), step)}


def _item(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    item = episodes.item(index, _needed(asked, "id"), shown.skipped)
    trajectory = item["trajectory"]
    about = shown.book.about(trajectory["id"], trajectory["question_id"]) if shown.book else []
    return (episodes.hidden(item) if shown.blind else item) | {"reviews": about}


def _samples(shown: Shown, index: Index, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = episodes.samples(index, _needed(asked, "question"))
    if shown.blind:
        for sample in found["samples"]:
            sample.update(verdict=None, outcome=None, reasons=[], hit=None)
    return found


def _pairs(shown: Shown, index: Index, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return shown.book.pairs(index) if shown.book and not shown.blind else []


async def _review(shown: Shown, request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    if shown.book is None or not isinstance(asked, dict):
        raise ReviewError("no review can be recorded here")
    book = shown.book

    def recorded() -> dict[str, Any]:
        index, version = shown.index()
        return {"version": version, "result": book.decide(index, asked)}

    return web.json_response(await asyncio.to_thread(recorded))


def _json(shown: Shown, answer: Callable[[Shown, Index, Mapping[str, Any]], Any]) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        def made() -> dict[str, Any]:
            index, version = shown.index()
            return {"version": version, "result": answer(shown, index, request.query)}

        return web.json_response(await asyncio.to_thread(made))

    return handler


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except QueryError as error:
        return web.json_response({"error": str(error)}, status=404)
    except (ClipError, ReviewError, json.JSONDecodeError) as error:
        return web.json_response({"error": str(error)}, status=422)


async def _frame(shown: Shown, request: web.Request) -> web.StreamResponse:
    def found() -> bytes | None:
        index, _ = shown.index()
        return shown.pictures.frame(index, request.match_info["id"], _needed(request.query, "of"))

    jpeg = await asyncio.to_thread(found)
    if jpeg is None:
        raise QueryError("the frame is not stored, and the film does not give it again")
    # A frame's id is the hash of its bytes: it never changes.
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)


async def _clip(shown: Shown, request: web.Request) -> web.StreamResponse:
    def cut() -> Path:
        index, _ = shown.index()
        item = episodes.item(index, _needed(request.query, "of"))
        if item["question"] is None:
            raise QueryError("the question is gone, so its film is not known")
        start_s, end_s = _number(request.query, "start"), _number(request.query, "end")
        return shown.pictures.clip(item["question"]["video_uri"], start_s, end_s)

    return web.FileResponse(await asyncio.to_thread(cut), headers={"Content-Type": "video/mp4"})


async def _static(request: web.Request) -> web.StreamResponse:
    path = SCRIPTS.get(request.match_info["name"])
    if path is None:
        raise web.HTTPNotFound(text="there is no such file")
    return await _file(path, TYPES[path.suffix])


async def _page(_: web.Request) -> web.StreamResponse:
    return await _file(STATIC / "app.html", "text/html")


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


async def _file(path: Path, content_type: str) -> web.StreamResponse:
    text = await asyncio.to_thread(path.read_text, "utf-8")
    return web.Response(text=text, content_type=content_type, charset="utf-8")
