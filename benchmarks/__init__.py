"""Measurements of the library against floors and peers, in one run: ``python -m benchmarks``.

A floor is the least that Python can do: a bare blocking socket or a bare ``asyncio.Protocol`` that
delivers the same typed events with nothing in between. A peer is another client on the same job.
Rows of a table are measured in turn, repetition by repetition, so that a noisy machine disturbs all
of them alike; each figure is the median, each ratio the median of the ratios within a repetition.
CPU is that of this process, all threads; the server runs in another one.

``clients`` holds one module a client, ``rows`` one module a family of tables.
"""
