"""Cut a batch that is too large for one transaction into parts that can be put back one by one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from housekeeping.engine.restore.contents import Contents

Part = list[list[Any]]
"""For each archive of the batch, the rows of it that belong to the part."""


class Groups:
    """Which rows of a batch have to stay together: each with the rows of the batch that it refers to.

    Each group has a leader, and ``leaders`` leads from any row to it, step by step (a union-find).
    """

    def __init__(self, archives: Sequence[Contents]) -> None:
        self.archives = archives
        self.rows = [list(contents.rows()) for contents in archives]
        each = zip(archives, self.rows, strict=True)
        self.nodes = [[contents.node(key) for key, _ in rows] for contents, rows in each]
        self.leaders = {node: node for nodes in self.nodes for node in nodes}
        for contents, rows, nodes in zip(archives, self.rows, self.nodes, strict=True):
            for (_, row), node in zip(rows, nodes, strict=True) if contents.referred else ():
                self.leaders |= dict.fromkeys(contents.other_nodes(row), node)
        for contents, rows, nodes in zip(archives, self.rows, self.nodes, strict=True):
            for (key, row), node in zip(rows, nodes, strict=True):
                for other in contents.relatives(key, row):
                    if other in self.leaders:
                        self.leaders[self._leader(node)] = self._leader(other)

    def _leader(self, node: Any) -> Any:
        while (up := self.leaders[node]) != node:
            self.leaders[node] = node = self.leaders[up]
        return node

    def parts(self, size: int) -> list[Part]:
        """Parts of about ``size`` rows, of whole groups each."""
        leaders = [[self._leader(node) for node in nodes] for nodes in self.nodes]
        part_of = self._distribute(Counter(leader for each in leaders for leader in each), size)
        parts: list[Part] = [[[] for _ in self.archives] for _ in range(max(part_of.values(), default=0) + 1)]
        for at, (rows, heads) in enumerate(zip(self.rows, leaders, strict=True)):
            for (_, row), leader in zip(rows, heads, strict=True):
                parts[part_of[leader]][at].append(row)
        return parts

    @staticmethod
    def _distribute(weights: Counter[Any], size: int) -> dict[Any, int]:
        """The number of the part that each leader's group goes into."""
        part_of, filled, number = dict[Any, int](), 0, 0
        for leader, weight in weights.items():
            if filled and filled + weight > size:
                number, filled = number + 1, 0
            part_of[leader] = number
            filled += weight
        return part_of
