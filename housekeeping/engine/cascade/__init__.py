"""The rows below a row: which tables refer to a model by foreign keys, and what a delete does to them.

A row is below another one if it refers to it, or to a row below it, and is deleted with it.
"""

from housekeeping.engine.cascade import reach
from housekeeping.engine.cascade.above import generics_to, is_tree_both_ways, owners
from housekeeping.engine.cascade.above import leads_to as leads_up_to
from housekeeping.engine.cascade.closure import Closure
from housekeeping.engine.cascade.conditions import frees, protected
from housekeeping.engine.cascade.counting import Below, paths, weights
from housekeeping.engine.cascade.databases import databases
from housekeeping.engine.cascade.edges import Link, links, rows_of, value_field, written_key
from housekeeping.engine.cascade.fitness import elsewhere, key_problems, problems
from housekeeping.engine.cascade.graph import Edge, Generic, Node, ascents, is_leaf, is_tree, nodes, tables
from housekeeping.engine.cascade.paths import walk
from housekeeping.engine.cascade.reach import walking

__all__ = [
    "Below",
    "Closure",
    "Edge",
    "Generic",
    "Link",
    "Node",
    "ascents",
    "databases",
    "elsewhere",
    "frees",
    "generics_to",
    "is_leaf",
    "is_tree",
    "is_tree_both_ways",
    "key_problems",
    "leads_up_to",
    "links",
    "nodes",
    "owners",
    "paths",
    "problems",
    "protected",
    "reach",
    "rows_of",
    "tables",
    "value_field",
    "walk",
    "walking",
    "weights",
    "written_key",
]
