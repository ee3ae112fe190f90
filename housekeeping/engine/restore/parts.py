"""Cut a batch that is too large for one transaction into parts that can be put back one by one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from housekeeping.engine.restore.contents import Contents


class Cut:
    """Which rows of a batch belong together: whatever refers to another row of the batch, and that row."""

    def __init__(self, chunks: Sequence[Contents]) -> None:
        self.chunks = chunks
        self.leaders: dict[Any, Any] = {}
        self.lines = [list(chunk.lines()) for chunk in chunks]
        rows = zip(chunks, self.lines, strict=True)
        self.nodes = [[chunk.node(key) for key, _ in lines] for chunk, lines in rows]
        for nodes in self.nodes:
            for node in nodes:
                self.leaders[node] = node
        for chunk, lines, nodes in zip(chunks, self.lines, self.nodes, strict=True):
            for (key, line), node in zip(lines, nodes, strict=True):
                for other in chunk.relatives(key, line):
                    if other in self.leaders:
                        self.leaders[self._leader(node)] = self._leader(other)

    def _leader(self, node: Any) -> Any:
        while (up := self.leaders[node]) != node:
            self.leaders[node] = node = self.leaders[up]
        return node

    def parts(self, size: int) -> list[list[list[Any]]]:
        """Parts of about so many rows; each has, for each archive, the lines of its rows."""
        leaders = [[self._leader(node) for node in nodes] for nodes in self.nodes]
        weights = Counter(leader for each in leaders for leader in each)
        number_of, filled, number = dict[Any, int](), 0, 0
        for leader, weight in weights.items():
            if filled and filled + weight > size:
                number, filled = number + 1, 0
            number_of[leader] = number
            filled += weight
        parts: list[list[list[Any]]] = [[[] for _ in self.chunks] for _ in range(number + 1)]
        for at, (lines, heads) in enumerate(zip(self.lines, leaders, strict=True)):
            for (_, line), leader in zip(lines, heads, strict=True):
                parts[number_of[leader]][at].append(line)
        return parts
