"""The glance-then-zoom protocol and the `Episode` that every player plays.

Belongs here: tags, parsing, frame budget, fault texts, prompts, evidence, option letters, frame ids, and the one state
machine that teacher, policy, RL and evaluation share. Does not belong here: HTTP, tensors, files other than the prompt
texts. Reference: VideoZoomer (arXiv 2512.22315).
"""

from videozoomer.protocol.episode import Episode, Task, Turn
from videozoomer.protocol.messages import FrameRef, Image, Message, Text
from videozoomer.protocol.parsing import Answer, Fault, Zoom, parse_reply
from videozoomer.protocol.prompts import Prompts, load_prompts
from videozoomer.protocol.protocol import Protocol

__all__ = [
    "Answer",
    "Episode",
    "Fault",
    "FrameRef",
    "Image",
    "Message",
    "Prompts",
    "Protocol",
    "Task",
    "Text",
    "Turn",
    "Zoom",
    "load_prompts",
    "parse_reply",
]
