"""What the tests of grammars share: small grammars, and their derivations by brute force."""

NESTED = "S -> 'a' S T | 'b' | ''\nT -> S 'c' | 'd'"
GRAMMARS = {  # name -> text, whether one character ahead tells the rule
    "sums": ("S -> S '+' T | T\nT -> '(' S ')' | 'x'", True),
    "nested": (NESTED, False),
    "pairs": ("S -> '(' S ')' S | ''", True),
    "ambiguous": ("S -> S S | '(' S ')' | 'x'", False),
    "palindromes": ("S -> 'x' S 'x' | '(' S '(' | 'x' | '('", False),
    "overlapping": ("A -> 'xx' ')' | B '+'\nB -> 'x' \"xx\" | 'x'", True),  # a longest match would take xx of x+
    "finite": ("S -> A B\nA -> 'x' | ''\nB -> '+' A | '()'", True),
}


def derivations(grammar, length):
    """All derivations of at most `length` rules, by trying every rule."""
    found, todo = [], [((), (grammar.start,))]
    while todo:
        rules, left = todo.pop()
        if not left:
            found.append(rules)
            continue
        if len(rules) < length:
            for number, rule in enumerate(grammar.rules):
                if rule.left == left[0]:
                    todo.append((rules + (number,), tuple(s for s in rule.right if not isinstance(s, str)) + left[1:]))
    return found
