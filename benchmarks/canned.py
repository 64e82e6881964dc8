"""The bytes that the server sends, made once."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\n"
    b"openai-model: bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
COMPACTED = (
    b'{"output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},'
    b'{"type":"compaction","encrypted_content":"' + b"A" * 400 + b'"}]}'
)
COMPACTED_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    % (len(COMPACTED), COMPACTED)
)
RESPONSE = (
    b'{"id":"resp_bench","object":"response","created_at":1764000000,"status":"completed",'
    b'"background":false,"error":null,"incomplete_details":null,"instructions":null,'
    b'"max_output_tokens":null,"model":"bench","output":[{"id":"msg_bench","type":"message",'
    b'"status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],'
    b'"text":"The quick brown fox jumps over the lazy dog."}],"role":"assistant"}],'
    b'"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,'
    b'"summary":null},"service_tier":"default","store":true,"temperature":1.0,"text":{"format":'
    b'{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_p":1.0,'
    b'"truncation":"disabled","usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4'
    b'},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":6},"total_tokens":30},'
    b'"user":null,"metadata":{}}'
)
RESPONSE_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
    b"openai-model: bench\r\ncontent-length: %d\r\n\r\n%b" % (len(RESPONSE), RESPONSE)
)
RESPONSE_ID = b"resp_bench"
CREATED_JSON = b'{"type":"response.created","response":{"id":"resp_bench","output":[]}}'
COMPLETED_JSON = (
    b'{"type":"response.completed","response":{"id":"resp_bench","usage":{"input_tokens":10,'
    b'"input_tokens_details":{"cached_tokens":4},"output_tokens":20,'
    b'"output_tokens_details":{"reasoning_tokens":6},"total_tokens":30}}}'
)
_WORDS = (" the", " quick", " brown", " fox,", " jumps")
_BIG_TEXT = "0123456789abcdef" * (1 << 16)


def delta_json(text: str, number: int) -> bytes:
    """Return one delta as the API sends it, 270 bytes or so."""
    return (
        b'{"type":"response.output_text.delta","content_index":0,"delta":"%s",'
        b'"item_id":"msg_68c9a1f0b8d08190a7c5d3e2f1a0b9c80123456789abcdef","logprobs":[],'
        b'"obfuscation":"Xq7ZkP0aRt","output_index":0,"sequence_number":%d}'
    ) % (text.encode(), number)


def sse_event(data: bytes) -> bytes:
    name = data[len(b'{"type":"') : data.index(b'"', len(b'{"type":"'))]
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def delta_chunk(text: str, number: int) -> bytes:
    return http_chunk(sse_event(delta_json(text, number)))


CREATED_CHUNK = http_chunk(sse_event(CREATED_JSON))
END = http_chunk(sse_event(COMPLETED_JSON)) + LAST_CHUNK


def events(count: int) -> list[bytes]:
    """Return the JSON of a whole response with ``count`` deltas."""
    deltas = [delta_json(_WORDS[number % 5], number) for number in range(count)]
    return [CREATED_JSON, *deltas, COMPLETED_JSON]


@lru_cache(maxsize=8)
def sse_body(count: int, shape: str) -> bytes:
    """Return the framed body of a response with ``count`` deltas.

    Args:
        shape: Events in a chunk as a number; ``1000b`` for chunks of 1,000 bytes, which cut events
            anywhere; ``1mb`` for events of 1 MiB, one a chunk.
    """
    if shape == "1mb":
        data = [CREATED_JSON, *(delta_json(_BIG_TEXT, n) for n in range(count)), COMPLETED_JSON]
        return b"".join(http_chunk(sse_event(one)) for one in data) + LAST_CHUNK
    framed = [sse_event(data) for data in events(count)]
    if shape == "1000b":
        whole = b"".join(framed)
        chunks = [whole[at : at + 1000] for at in range(0, len(whole), 1000)]
    else:
        step = int(shape)
        chunks = [b"".join(framed[at : at + step]) for at in range(0, len(framed), step)]
    return b"".join(map(http_chunk, chunks)) + LAST_CHUNK


@lru_cache(maxsize=8)
def websocket_frames(count: int, *, deflate: bool) -> bytes:
    """Return the frames of one response; deflated ones are the first on their connection."""
    compressor = zlib.compressobj(wbits=-15)

    def frame(data: bytes) -> bytes:
        first = 0x81
        if deflate:
            flushed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            data, first = flushed[:-4], 0xC1
        short = len(data) < 126
        head = bytes((first, len(data))) if short else struct.pack("!BBH", first, 126, len(data))
        return head + data

    return b"".join(map(frame, events(count)))
