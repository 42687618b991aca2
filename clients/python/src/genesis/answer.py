"""What nodes answer, read with bounds, and what comes in place of an answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from .errors import Error, Internal, Unavailable, from_problem
from .place import Place

__all__ = ["MAX_PROBLEM", "Params", "beginning", "bounded", "broken", "decode", "foreign", "lines", "pairs", "problem", "unreached"]

Params = Mapping[str, Any]

# A JSON answer is at most this long, so that a hostile node cannot fill memory.
MAX_ANSWER = 1 << 30
MAX_PROBLEM = 1 << 20  # of an error no more is read


def pairs(params: Params | None) -> list[tuple[str, str]]:
    """Return a query's pairs: lists repeat, what is None is left out."""
    pairs: list[tuple[str, str]] = []
    for key, value in (params or {}).items():
        if isinstance(value, bool):
            pairs += [(key, "true")] if value else []
        elif isinstance(value, (list, tuple)):
            pairs += [(key, str(v)) for v in value]
        elif value is not None:
            pairs.append((key, str(value)))
    return pairs


def bounded(response: httpx.Response) -> Iterator[bytes]:
    """Yield the pieces of an answer that is not endless."""
    left = MAX_ANSWER
    for piece in response.iter_bytes():
        left -= len(piece)
        if left < 0:
            raise Internal("the node's answer is longer than 1 GiB")
        yield piece


def beginning(response: httpx.Response) -> bytes:
    """Return the first bytes of an error: more than them is not said by a node."""
    text = b""
    for piece in bounded(response):
        text += piece
        if len(text) >= MAX_PROBLEM:
            break
    return text


def lines(response: httpx.Response) -> Iterator[bytes]:
    """Yield lines. One without its line feed was cut off, and is none."""
    rest = bytearray()
    for piece in bounded(response):
        *whole, last = piece.split(b"\n")
        if whole:
            whole[0] = bytes(rest) + whole[0]
            rest.clear()
            yield from whole
        rest += last


def decode(text: bytes, place: Place) -> Any:
    """Return the JSON of an answer."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise foreign(place) from None


def problem(text: bytes, status: int, headers: httpx.Headers | http.client.HTTPMessage) -> Error:
    """Return the error that an answer is."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = {}
    if not isinstance(said, dict):
        said = {}
    hint = "it speaks https: write https:// in its URL" if status == 400 and b"HTTPS server" in text else ""
    if 300 <= status < 400:
        said = {"message": f"sends to another address, which may not have the token: {headers.get('Location', '')}"}
        hint = "connect to the URL that the node has, if you trust it"
    return from_problem({"hint": hint, **said}, status=status, retry_after=headers.get("Retry-After"))


def foreign(place: Place) -> Unavailable:
    """Return the error of what no node would answer."""
    return Unavailable(
        "the answer is one that no node gives",
        op="reach node",
        subject=str(place),
        hint="is the URL that of a node, and no sign-in page or proxy before it?",
    )


def broken() -> Unavailable:
    """Return the error of an answer that did not arrive whole."""
    return Unavailable("the connection to the node broke off before the answer was whole", hint="try again")


def unreached(place: Place, error: Exception) -> Unavailable:
    """Return the error of a node that did not answer, and what to do about it."""
    text = str(error)
    hint, why = "", text or "no answer came"
    if "refused" in text:
        why, hint = "nobody listens there", "is the node started (`genesis serve`), and the port right?"
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        why = "its certificate is not trusted here"
        hint = "add the authority that signed it to this machine's, or name its file in $SSL_CERT_FILE"
    elif "Name or service not known" in text or "nodename nor servname" in text:
        why, hint = "no machine of that name is known", "is the URL spelt right, and this machine on the network?"
    elif "WRONG_VERSION_NUMBER" in text:
        why, hint = "it does not speak https", "write http:// for a node on this machine; one elsewhere needs a certificate"
    return Unavailable(why, op="reach node", subject=str(place), hint=hint)
