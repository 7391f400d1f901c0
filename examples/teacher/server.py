"""The sample teacher behind HTTP."""

from __future__ import annotations

from distill.chat_server import ChatServer
from examples.teacher.completion import complete, model_card
from examples.teacher.sight import SightCache


class TeacherServer(ChatServer):
    def __init__(self, port: int = 0, host: str = "127.0.0.1", *, share_port: bool = False) -> None:
        self.recogniser = SightCache()
        super().__init__(
            lambda body: complete(body, self.recogniser), model_card(), port=port, host=host, share_port=share_port
        )
