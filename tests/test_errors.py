"""Every error of the library is a sentence: expected, received, the fix.

`errors.tsv` is the table of them all, read off the `raise` statements:
`python -m tests.test_errors` writes it again. What is no sentence of its own
stands in `INNER`, with the reason.
"""

import ast
import functools
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "keras_gans"
TABLE = Path(__file__).with_name("errors.tsv")

# File, or file and function -> why its errors are no whole sentences.
INNER = {
    "cli.py:positive": "argparse puts the option's name before it",
    "cli.py:run_translate.picture": "a picture's name, before the sentence",
    "convert/cyclegan.py:from_official": "a file's name before the sentence",
    "convert/official.py:_Redirects.redirect_request": "for `fetch_official`",
    "convert/pth.py": "`Refused` says what a file is; `read_pth` the rest",
    "convert/stackgan.py:from_official": "a file's name before the sentence",
    "convert/vae.py:from_official": "a file's name before the sentence",
    "datasets/folder.py:opened": "for the sentences of who reads a picture",
    "distribute.py:_of_tensorflow": "the words of TensorFlow end in a stop",
    "distribute.py:workers_of": "the words before it stand once, in `expected`",
    "files.py:check_expansion": "for the sentences of who unpacks",
    "files.py:copied": "for the sentences of who fetches",
    "files.py:fetch": "for the sentence at its end",
    "files.py:regular": "an error of the system, for who reads the file",
    "files.py:text_of": "an error of the system, for who reads the file",
    "inputs.py:plain_errors": "the sentence that TensorFlow had wrapped",
    "metrics/reference.py": "for the sentence of `Reference.load`",
    "pretrained.py:_build": "for the sentence at its end",
    "pretrained.py:_check_depth": "for the sentence of `_build`",
    "pretrained.py:_check_size": "for the sentence of `_build`",
    "pretrained.py:_unpack": "for the sentence at its end",
    "training.py:_Stop._ask": "asked twice to stop: at once",
    "training.py:_is_save_of": "for the sentence of `_restore`",
    "training.py:_train": "no error: it says what was saved",
    "weights.py:check_hdf5.check": "for the sentences of who reads weights",
    "weights.py:load_network": "for the sentence at its end",
}

KINDS = {
    *("ValueError", "OSError", "Unwritten", "ImportError"),
    *("NotImplementedError", "RuntimeError", "ConnectionError"),
}

SENTENCE = re.compile(
    r"({}: )?Expected .+ Received: .+\. [A-Z`'{].*[.}]", re.DOTALL
)


def text_of(node: ast.expr) -> str:
    """What a message says; `{}` stands for what is only known when raised."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left) + text_of(right)
        case ast.Call(func=ast.Name(id="unknown")):
            return "Expected the name of {}: {}. Received: {}. Did you mean {}."
        case _:
            return "{}"


def errors_in(path: Path) -> list[tuple[str, str, str]]:
    """(file and function, class, text) of each `raise`, in order."""
    found = []
    file = path.relative_to(PACKAGE).as_posix()

    def visit(node: ast.AST, places: tuple[str, ...]) -> None:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            places = (*places, node.name)
        where = f"{file}:{'.'.join(places)}"
        match node:
            case ast.Raise(exc=ast.Call(func=kind, args=arguments)):
                text = " ".join(map(text_of, arguments))
                found.append((where, ast.unparse(kind), text))
            case ast.Raise(exc=ast.expr()):  # by its class alone
                found.append((where, ast.unparse(node), ""))
        for child in ast.iter_child_nodes(node):
            visit(child, places)

    visit(ast.parse(path.read_text()), ())
    return found


@functools.cache
def all_errors() -> list[tuple[str, str, str]]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [error for path in files for error in errors_in(path)]


def table() -> str:
    rows = [("place", "class", "text"), *all_errors()]
    return "".join("\t".join(row).replace("\n", " ") + "\n" for row in rows)


def poor(place: str, kind: str, text: str) -> bool:
    """Whether an error says too little, or is of a class that says nothing."""
    if kind == "raise NotImplementedError":  # of an abstract method
        return False
    return kind not in KINDS or not SENTENCE.fullmatch(text)


def test_errors_are_sentences():
    errors = all_errors()
    found = {
        place: (kind, text)
        for place, kind, text in errors
        if poor(place, kind, text)
    }
    where = {
        place
        for place in found
        if not {place, place.partition(":")[0]} & INNER.keys()
    }
    assert not where, {place: found[place] for place in where}


def test_reasons_are_of_something():
    named = {
        place
        for error in all_errors()
        if poor(*error)
        for place in (error[0], error[0].partition(":")[0])
    }
    assert INNER.keys() <= named


def test_the_table_is_that_of_the_code():
    assert TABLE.read_text() == table(), "run `python -m tests.test_errors`"


def test_no_error_is_hidden_in_an_assert():
    """`python -O` would leave it out, and it says nothing."""
    for path in sorted(PACKAGE.rglob("*.py")):
        found = [
            n
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Assert)
        ]
        assert not found, f"{path}:{found[0].lineno}"


if __name__ == "__main__":
    TABLE.write_text(table())
