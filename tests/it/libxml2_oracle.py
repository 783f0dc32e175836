"""libxml2's opinion of documents, for the tests: is it well-formed, and what are its canonical forms?

Speaks in frames on stdin and stdout, a 4-byte big-endian length before each. The first frame out names the version of
libxml2. A frame in is a line of JSON, {"forms": [...]}, and behind it the document. A frame out is a line of JSON,
{"accepted": bool, "why": [str], "forms": [length or null, ...]}, and behind it the canonical forms in a row. A form is
{"exclusive": bool, "comments": bool, "prefixes": [str], "apex": int or null, "without": int or null}, where elements
are counted from 0 in document order, and an apex of null is the document.

Needs Python 3 and libxml2 alone (Debian: python3 libxml2).
"""

import ctypes
import ctypes.util
import json
import struct
import sys
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_ubyte, c_void_p

ELEMENT, NAMESPACE_ERRORS = 1, 3
PARSE_NONET, PARSE_NOWARNING = 1 << 11, 1 << 6


class Node(ctypes.Structure):
    """The beginning of xmlNode, which every node but an attribute's namespace shares."""


Node._fields_ = [
    ("private", c_void_p),
    ("type", c_int),
    ("name", c_char_p),
    ("children", POINTER(Node)),
    ("last", POINTER(Node)),
    ("parent", POINTER(Node)),
    ("next", POINTER(Node)),
]


class Error(ctypes.Structure):
    """The beginning of xmlError."""

    _fields_ = [("domain", c_int), ("code", c_int), ("message", c_char_p), ("level", c_int)]


def load():
    for name in (ctypes.util.find_library("xml2"), "libxml2.so.2", "libxml2.so.16"):
        try:
            return ctypes.CDLL(name) if name else None
        except OSError:
            continue
    return None


lib = load()
if lib is None:
    sys.exit("libxml2 was not found")

OnError = CFUNCTYPE(None, c_void_p, POINTER(Error))
IsVisible = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)
lib.xmlReadMemory.restype = c_void_p
lib.xmlReadMemory.argtypes = [c_char_p, c_int, c_char_p, c_char_p, c_int]
lib.xmlFreeDoc.argtypes = [c_void_p]
lib.xmlAllocOutputBuffer.restype = c_void_p
lib.xmlAllocOutputBuffer.argtypes = [c_void_p]
lib.xmlOutputBufferGetContent.restype = POINTER(c_ubyte)
lib.xmlOutputBufferGetContent.argtypes = [c_void_p]
lib.xmlOutputBufferGetSize.restype = ctypes.c_size_t
lib.xmlOutputBufferGetSize.argtypes = [c_void_p]
lib.xmlOutputBufferClose.argtypes = [c_void_p]
lib.xmlC14NExecute.argtypes = [c_void_p, c_void_p, c_void_p, c_int, POINTER(c_char_p), c_int, c_void_p]
lib.xmlSetStructuredErrorFunc.argtypes = [c_void_p, OnError]
lib.xmlSetStructuredErrorFunc.restype = None

complaints = []


@OnError
def on_error(_context, error):
    """Errors of namespaces leave the document readable; they are kept to be asked for."""
    error = error.contents
    if error.level >= 2:
        complaints.append((error.domain, error.code, (error.message or b"").decode("utf-8", "replace").strip()))


lib.xmlSetStructuredErrorFunc(None, on_error)


def address(pointer):
    return ctypes.cast(pointer, c_void_p).value


def nodes_below(top):
    """Addresses of a node and of all below it, in document order, and which of them are elements."""
    found, waiting = [], [top]
    while waiting:
        node = waiting.pop()
        contents = node.contents
        found.append((address(node), contents.type == ELEMENT))
        if contents.next and address(node) != address(top):
            waiting.append(contents.next)
        if contents.type in (ELEMENT, 9) and contents.children:
            waiting.append(contents.children)
    return found


def subtree(address_of_top):
    return {node for node, _ in nodes_below(ctypes.cast(address_of_top, POINTER(Node)))}


def canonical(document, everything, elements, form):
    hidden = subtree(elements[form["without"]]) if form["without"] is not None else set()
    visible = everything if form["apex"] is None else subtree(elements[form["apex"]])
    visible = visible - hidden

    # attributes and namespaces go with their element
    @IsVisible
    def is_visible(_data, node, parent):
        return node in visible or (node not in everything and parent in visible)

    prefixes = [prefix.encode() for prefix in form["prefixes"]]
    listed = (c_char_p * (len(prefixes) + 1))(*prefixes, None) if prefixes else None
    everywhere = form["apex"] is None and form["without"] is None
    buffer = lib.xmlAllocOutputBuffer(None)
    try:
        callback = None if everywhere else ctypes.cast(is_visible, c_void_p)
        mode = 1 if form["exclusive"] else 0
        if lib.xmlC14NExecute(document, callback, None, mode, listed, int(form["comments"]), buffer) < 0:
            return None
        lib.xmlOutputBufferFlush(ctypes.c_void_p(buffer))
        return ctypes.string_at(lib.xmlOutputBufferGetContent(buffer), lib.xmlOutputBufferGetSize(buffer))
    finally:
        lib.xmlOutputBufferClose(buffer)


def judge(job):
    header, _, source = job.partition(b"\n")
    complaints.clear()
    document = lib.xmlReadMemory(source, len(source), None, None, PARSE_NONET | PARSE_NOWARNING)
    namespaces = [complaint for complaint in complaints if complaint[0] == NAMESPACE_ERRORS]
    why = [f"{domain}/{code} {message}" for domain, code, message in complaints]
    answer = {"accepted": bool(document) and not namespaces, "why": why, "forms": []}
    outputs = []
    if document:
        found = nodes_below(ctypes.cast(document, POINTER(Node)))
        everything = {node for node, _ in found}
        elements = [node for node, is_element in found if is_element]
        for form in json.loads(header)["forms"]:
            output = canonical(document, everything, elements, form)
            answer["forms"].append(None if output is None else len(output))
            outputs.append(output or b"")
        lib.xmlFreeDoc(document)
    return json.dumps(answer).encode() + b"\n" + b"".join(outputs)


def send(frame):
    sys.stdout.buffer.write(struct.pack(">I", len(frame)) + frame)
    sys.stdout.buffer.flush()


def main():
    send(c_char_p.in_dll(lib, "xmlParserVersion").value)
    while length := sys.stdin.buffer.read(4):
        send(judge(sys.stdin.buffer.read(struct.unpack(">I", length)[0])))


main()
