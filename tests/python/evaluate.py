# Runs in both Pythons: evaluates `cases`, a list of [body, expression], and gives a list of [kind, text]: what the
# expression's repr is and what was printed ("value"), or the type and message of what was raised ("raises").
import contextlib
import io


def shown(value):
    # What the repr left as a lone surrogate cannot travel.
    return repr(value).encode("utf-8", "backslashreplace").decode("utf-8")


def evaluate(body, expression):
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(body, "case", "exec"), names)
            value = shown(eval(compile(expression, "case", "eval"), names)) if expression else ""
        printed = out.getvalue()
        return ["value", value + ("\nprinted: " + shown(printed) if printed else "")]
    except BaseException as error:
        return ["raises", type(error).__qualname__, str(error)[:200].encode("utf-8", "backslashreplace").decode("utf-8")]


[evaluate(body, expression) for body, expression in cases]
