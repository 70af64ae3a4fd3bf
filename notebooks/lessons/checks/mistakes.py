"""What mistakes make of a right number: for the `withheld` parts of the checks. Students get the values, hashed."""

import ast
import copy
import math
import warnings
from collections.abc import Callable, Iterator

SPACE = {"ln": math.log, "log10": math.log10, "log2": math.log2, "exp": math.exp, "sqrt": math.sqrt, "inf": math.inf}
"""What a formula may call."""
BRACKETS = "Brackets: * and / come before + and -, a power before both; what belongs together needs brackets."
SHORTENED = "Something that holds {} is missing from your formula."
TURNED = "One of your differences is the wrong way round: the one that holds {}."
UPSIDE = "One of your ratios is upside down: the one that holds {}."
TIMES = "You multiply where something is divided, or the other way round: it holds {}."
SUMS = "You add where something is subtracted, or the other way round: it holds {}."
POWER = "One of your powers is not right, by its sign or because it is turned over: the one that holds {}."
UNDONE = "Something that holds {} goes through a logarithm, an exponential or a root first."
OTHER = "`{}` stands in one place where another of the given numbers belongs."
ONE = "A number that you typed into your formula is off by one."


def usual(right: float) -> list[tuple[float, str]]:
    """Return what mistakes that have a name in every exercise make of the right number: for functions, not answers."""
    x, size, bases = right or math.nan, abs(right) or math.nan, (math.log(2), math.log(10))
    named = {
        "It is the other way round: you return the inverse.": [1 / x],
        "You return the logarithm of what was asked for.": [math.log(size) / base for base in (1, *bases)],
        "Two bases of logarithms: both have to be the same.": [x * base**side for base in bases for side in (1, -1)],
        "You return the square of what was asked for, or its root.": [x * x, size**0.5],
        "You return twice what was asked for, or half of it.": [2 * x, x / 2],
    }
    return [(wrong, why) for why, each in named.items() for wrong in each if abs(wrong - x) > 0.02 * size]


def mutants(*formulas: str, **values: float) -> list[tuple[float, str]]:
    """Return what every single slip in a formula of the given ``values`` makes of its number, each with its class.

    Several formulas are several ways to the same number: each has slips of its own.

    A formula is Python with ``ln``, ``log10``, ``log2``, ``exp`` and ``sqrt``. A slip is a lost term, an exchange of
    two sides, of two operations or of two of the values, lost brackets, a lost function or a number that is off by one.
    """
    right, found = value_of(formulas[0], values), {}
    for text, why in (slip for formula in formulas for slip in slips(formula, list(values))):
        wrong = value_of(text, values)
        if math.isfinite(wrong) and abs(wrong - right) > 0.02 * abs(right):
            found.setdefault((f"{wrong:.6g}", why), (wrong, why))
    return list(found.values())


def value_of(formula: str, values: dict[str, float]) -> float:
    """Return the number of a formula, nan where it has none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # a lost bracket may call a number
            number = eval(formula, {"__builtins__": {}} | SPACE | values)
    except (ArithmeticError, ValueError, TypeError, SyntaxError):
        return math.nan
    return math.nan if isinstance(number, complex) else float(number)


def slips(formula: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield every formula with a slip, with a sentence on its class that names what it holds and not what is right."""
    tree = ast.parse(formula, mode="eval")
    size = sum(1 for _ in ast.walk(tree))
    for place in range(size):
        for change in (turned, shortened, exchanged, powers, undone, off):
            for choice in range(8):
                other = copy.deepcopy(tree)
                node = list(ast.walk(other))[place]
                if not isinstance(node, ast.expr) or not (made := change(node, names)) or choice >= len(made):
                    break
                new, why = made[choice]
                everywhere = replaced(copy.deepcopy(other), node, new)  # what stands twice is mistaken twice
                yield from ((ast.unparse(whole), why) for whole in (everywhere, replaced(other, node, new)))
    yield from ((text, BRACKETS) for text in unbracketed(formula))


def replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """Return a tree with one of its nodes exchanged; in a copy of its tree, all nodes that are written like it."""
    own = any(node is old for node in ast.walk(tree))

    class Exchange(ast.NodeTransformer):
        def visit(self, node):
            alike = node is old if own else ast.dump(node) == ast.dump(old)
            return new if alike else self.generic_visit(node)

    return ast.fix_missing_locations(Exchange().visit(tree))


def held(node: ast.AST, names: list[str]) -> str:
    """Return the given numbers in a part of a formula, in words."""
    inside = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return " and ".join(f"`{name}`" for name in names if name in inside) or "only numbers"


def operation(node: ast.AST, new: Callable[[], ast.operator], swap: bool = False) -> ast.AST:
    left, right = (node.right, node.left) if swap else (node.left, node.right)
    return ast.BinOp(left, new(), right)


def turned(node, names):
    """The two sides of a difference, a ratio or a power exchanged."""
    why = {ast.Sub: TURNED, ast.Div: UPSIDE, ast.Pow: POWER}.get(type(getattr(node, "op", None)))
    swapped = why and isinstance(node, ast.BinOp)
    return [(operation(node, type(node.op), swap=True), why.format(held(node, names)))] if swapped else []


def shortened(node, names):
    """One side of an operation lost."""
    if not isinstance(node, ast.BinOp):
        return []
    lost = [(node.left, SHORTENED.format(held(node.right, names)))]
    if not isinstance(node.op, ast.Pow):
        negative = ast.UnaryOp(ast.USub(), node.right) if isinstance(node.op, ast.Sub) else node.right
        lost += [(new, SHORTENED.format(held(node.left, names))) for new in (negative, node.right)]
    return lost


def exchanged(node, names):
    """One operation in the place of another, or one of the given numbers in that of another."""
    if isinstance(node, ast.Name) and node.id in names:
        return [(ast.Name(name, ast.Load()), OTHER.format(name)) for name in names if name != node.id]
    ways = {
        ast.Add: [(ast.Sub, SUMS), (ast.Mult, SUMS)],
        ast.Sub: [(ast.Add, SUMS), (ast.Div, SUMS)],
        ast.Mult: [(ast.Div, TIMES), (ast.Add, TIMES)],
        ast.Div: [(ast.Mult, TIMES), (ast.Sub, TIMES)],
    }
    found = ways.get(type(node.op), []) if isinstance(node, ast.BinOp) else []
    return [(operation(node, new), why.format(held(node, names))) for new, why in found]


def powers(node, names):
    """The sign of a power, a power turned over, a power in the place of which stands a product."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)):
        return []
    bent = [ast.UnaryOp(ast.USub(), node.right), ast.BinOp(ast.Constant(1), ast.Div(), node.right)]
    bent.append(ast.UnaryOp(ast.USub(), bent[1]))
    why = POWER.format(held(node, names))
    return [(ast.BinOp(node.left, ast.Pow(), new), why) for new in bent] + [(operation(node, ast.Mult), why)]


def undone(node, names):
    """A function lost, or a logarithm of another base; a sign lost."""
    if isinstance(node, ast.UnaryOp):
        return [(node.operand, f"A minus is missing before something that holds {held(node, names)}.")]
    if not isinstance(node, ast.Call):
        return []
    bases = [name for name in ("log10", "log2") if node.func.id == "ln"]
    calls = [(ast.Call(ast.Name(name, ast.Load()), node.args, []), "Use the natural logarithm.") for name in bases]
    return [(node.args[0], UNDONE.format(held(node, names))), *calls]


def off(node, names):
    """A typed number one too small or too large."""
    whole = isinstance(node, ast.Constant) and node.value in range(1, 10)
    return [(ast.Constant(node.value + side), ONE) for side in (-1, 1)] if whole else []


def unbracketed(formula: str) -> Iterator[str]:
    """Yield the formula without each of its pairs of brackets, and without all of them."""
    pairs, opened = [], []
    for place, letter in enumerate(formula):
        if letter == "(":
            opened.append(place)
        elif letter == ")":
            start = opened.pop()
            if start == 0 or not formula[start - 1].isalnum():
                pairs.append((start, place))
    for lost in [{pair} for pair in pairs] + [set(pairs)]:
        without = {place for pair in lost for place in pair}
        yield "".join(letter for place, letter in enumerate(formula) if place not in without)
