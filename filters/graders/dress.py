"""What an answer is wrapped in: width and marks of Unicode, model tokens, tags, JSON, LaTeX, Markdown, quotes.

Taking the wrapping off never decides anything: what is left is what the player said.
"""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from typing import Any

from filters.graders.phrases import pairs

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)|\A.*</think(?:ing)?>", re.S | re.I)
_ANSWER_TAG = re.compile(r"<(answer|final_answer|ans|result|output|response)>(.*?)(?:</\1>|\Z)", re.S | re.I)
_TOKEN = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|<pad>|<eos>|<bos>|<unk>|\[/?INST\]|</?(?:answer|final_answer|ans|think|b|i|em|strong|p|u|br|span|code|option|choice|output"
    r"|response|result)\s*/?>|</[\w-]{1,30}>|<(?:start|end)_of_turn>",
    re.I,
)
_LETTER_TAG = re.compile(r"<([A-Za-z])>")
_FENCE = re.compile(r"\A\s*```[\w-]*\s*\n?(.*?)\n?\s*```\s*\Z", re.S)
_MACRO = re.compile(
    r"\\(?:boxed|fbox|framebox|text(?:bf|it|rm|sf|tt|normal)?|math(?:bf|rm|it|sf|tt|bb|cal)|operatorname|mbox|emph|underline|mathop)\s*"
    r"\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_MATH = re.compile(r"\\[()\[\]]|\$\$|\$(?=[^$\n]{1,200}\$)(?!\d[\d.,]*\s*(?:[a-z]|$))")
_CLOSING = re.compile(r"(?<=[\w})\]%!.])\$(?![\d])")
_SPACE = re.compile(r"\\[,;:! ]|~(?=\w)|\\quad|\\qquad")
_EMPHASIS = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,3}(?=\w)|(?<=[\w.)])_{1,3}(?!\w)|`+|^#{1,6}\s+", re.M)
_INVISIBLE = {"Cf", "Cc", "Co", "Cn"}
_MARKS = str.maketrans({mark: plain.replace("␠", " ") for mark, plain in pairs("marks").items()})
_ANSWER_KEY = re.compile(
    r"(?:final|correct|my|the|predicted|best)?[_ -]*"
    r"(?:answer|ans|choice|option|result|response|prediction|value|label|output|letter|order|sequence|time|timestamp|count|number"
    r"|答案|選択|回答|答え|정답|답|antwort|respuesta|réponse|risposta|resposta|ответ)",
    re.I,
)


def undress(text: str) -> str:
    """The bare answer: normal Unicode, no tags, tokens, LaTeX or Markdown, and the value of a JSON answer.

    Lines stay lines. Sub- and superscripts become `^2`, vulgar fractions `1/2`, so that no digit joins another.
    """
    text = _unicode(text)
    text = _THOUGHT.sub(" ", text)
    if tagged := _ANSWER_TAG.findall(text):
        text = tagged[-1][1]
    if letter := _LETTER_TAG.fullmatch(text.strip()):
        return letter[1]
    text = _TOKEN.sub(" ", text)
    if fenced := _FENCE.match(text):
        text = fenced[1]
    text = _value(text)
    if "\\" in text or "$" in text:
        text = _latex(text)
    text = _EMPHASIS.sub("", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    return unquote(text)


_SCRIPTS = re.compile(
    r"(?<=[A-Za-z0-9])(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])|(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])(?=[A-Za-z0-9])"
)


def spaced(text: str) -> str:
    """With a space wherever Chinese, Japanese or Korean and Latin letters or figures touch, so that words are words."""
    return text if text.isascii() else _SCRIPTS.sub(" ", text)


def unquote(text: str) -> str:
    """Without spaces and quotation marks around the whole."""
    text = text.strip()
    while len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text.replace('"', "") if text.count('"') == 2 and not re.search(r"\d\"", text) else text


def _unicode(text: str) -> str:
    if text.isascii():
        return text
    made: list[str] = []
    for sign in text:
        form = unicodedata.decomposition(sign) if sign > "\x7f" else ""
        if form.startswith("<fraction>"):
            made.append(f" {unicodedata.normalize('NFKC', sign).replace('⁄', '/')} ")
        elif form.startswith("<super>") and sign.isdigit():
            made.append(f"^{unicodedata.digit(sign)}")
        elif form.startswith("<circle>") or (form.startswith("<compat>") and sign.isnumeric()):
            made.append(f" {unicodedata.normalize('NFKC', sign)} ")
        elif sign in "′″":
            made.append("'" if sign == "′" else '"')
        else:
            made.append(sign)
    text = unicodedata.normalize("NFKC", "".join(made).translate(_MARKS)).translate(_MARKS)
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign <= "\x7f":
        return sign
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.digit(sign))
    if kind in _INVISIBLE or sign in "\ufe0f\u20e3":
        return ""
    return " " if kind == "Zs" else sign


def _latex(text: str) -> str:
    for _ in range(4):
        text, found = _MACRO.subn(r"\1", text)
        if not found:
            break
    text = re.sub(r"\\left|\\right(?![a-z])", "", text)
    text = text.replace("\\%", "%").replace("\\rightarrow", "→").replace("\\to", "→").replace("\\Rightarrow", "→")
    text = _CLOSING.sub("", _MATH.sub("", text)) if "$" in text or "\\" in text else text
    return _SPACE.sub(" ", text).replace("\\$", "$")


def _value(text: str) -> str:
    """The answer in a JSON (or Python) object or list of one; anything else as it is."""
    body = text.strip()
    if not body or body[0] + body[-1] not in ("{}", "[]", '""') or len(body) > 2000:
        return text
    value = loaded(body)
    found = _answer_of(value)
    return text if found is None else found


def loaded(body: str) -> Any:
    """What a JSON or Python literal holds; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(body)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _answer_of(value: Any) -> str | None:
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return _answer_of(value[0]) if len(value) == 1 else json.dumps(list(value), ensure_ascii=False, default=str)
    if isinstance(value, dict):
        named = [item for key, item in value.items() if _ANSWER_KEY.fullmatch(str(key))]
        chosen = named or (list(value.values()) if len(value) == 1 else [])
        read = {_answer_of(item) for item in chosen}
        return read.pop() if len(read) == 1 else None
    return None
