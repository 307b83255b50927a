"""Text for iptables-restore from templates and words; `cybernetes/native/iptext.py` is its plain twin.

The output's size is known before: words and templates without their NULs. Both loops run without the GIL.
Sizes are Py_ssize_t; nothing is multiplied but a line's count by a template's length, both below 2^31.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy


cdef struct Template:
    const char* text
    Py_ssize_t size
    Py_ssize_t holes


cdef Py_ssize_t _measure(Template* templates, Py_ssize_t known, const uint8_t* lines, Py_ssize_t count,
                         Py_ssize_t* holes) noexcept nogil:
    """Bytes of all templates without holes; -1 for a line without a template."""
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t i
    holes[0] = 0
    for i in range(count):
        if lines[i] >= known:
            return -1
        total += templates[lines[i]].size - templates[lines[i]].holes
        holes[0] += templates[lines[i]].holes
    return total


cdef void _fill(Template* templates, const uint8_t* lines, Py_ssize_t count, const char* words, char* out) noexcept nogil:
    cdef Py_ssize_t i, length
    cdef const char* at
    cdef const char* end
    cdef const char* hole
    for i in range(count):
        at = templates[lines[i]].text
        end = at + templates[lines[i]].size
        while at < end:
            hole = <const char*>memchr(at, 0, end - at)
            length = (hole if hole != NULL else end) - at
            memcpy(out, at, length)
            out += length
            at += length
            if hole == NULL:
                break
            at += 1
            while words[0] != 0:
                out[0] = words[0]
                out += 1
                words += 1
            words += 1


def render(templates, lines, words):
    if len(templates) > 256:
        raise ValueError("more than 256 templates")
    cdef Template table[256]
    cdef bytes each, line_bytes = lines, word_bytes = words
    cdef Py_ssize_t known = len(templates), count = len(line_bytes), holes = 0, total
    cdef Py_ssize_t i
    for i in range(known):
        each = templates[i]
        table[i].text = PyBytes_AS_STRING(each)
        table[i].size = len(each)
        table[i].holes = each.count(b"\0")
    if word_bytes and word_bytes[len(word_bytes) - 1] != 0:
        raise ValueError("the last word has no end")
    cdef Py_ssize_t given = word_bytes.count(b"\0")
    cdef const uint8_t* line_at = <const uint8_t*>PyBytes_AS_STRING(line_bytes)
    cdef const char* word_at = PyBytes_AS_STRING(word_bytes)
    with nogil:
        total = _measure(table, known, line_at, count, &holes)
    if total < 0:
        raise ValueError("no template for a line")
    if holes > given:
        raise ValueError("too few words")
    if holes < given:
        raise ValueError("too many words")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, total + len(word_bytes) - given)
    cdef char* out_at = PyBytes_AS_STRING(out)
    with nogil:
        _fill(table, line_at, count, word_at, out_at)
    return out
