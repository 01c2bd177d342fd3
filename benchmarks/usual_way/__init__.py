"""The same pipeline written the usual way on each engine: state as Python objects, two unary calls for each event.

Fair, and no straw man: what a good engineer writes from the engine's own examples in an afternoon. No late events are
lost, windows evict, outputs go to Kafka; ticks, duplicates, rejections and exact replay are left out, which only helps.
"""
