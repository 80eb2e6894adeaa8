//! Builtins and classes, and what is mended of the library.

use super::{answers, failures};

pub(super) async fn builtins() {
    answers(&[
        (
            "from fractions import Fraction as F\nfrom decimal import Decimal as D\n\
             repr([round(2.675, 2), round(0.5), round(2.5), round(15, -1), round(1250.0, -2), \
             round(D('2.675'), 2), round(F(7, 3), 2), round(1e300, -400), round(True), \
             round(number=1.25, ndigits=1)])",
            "[2.67, 0, 2, 20, 1200.0, Decimal('2.68'), Fraction(233, 100), 0.0, 1, 1.2]",
        ),
        (
            "import sys\nrepr((sys.stdin.read(), sys.stdin.isatty()))",
            "('', False)",
        ),
    ])
    .await;
    failures(&[
        (
            "compile('a b', 'f.py', 'exec')",
            "SyntaxError: invalid syntax (f.py, line 1)",
        ),
        (
            "input('Name? ')",
            "EOFError: EOF when reading a line: there is nobody to ask here, \
             so put values in `inputs` or in the code",
        ),
        ("exit()", "SystemExit: None"),
        ("quit(3)", "SystemExit: 3"),
        ("import os\nos._exit(4)", "SystemExit: 4"),
        (
            "round(float('nan'))",
            "ValueError: cannot convert float NaN to integer",
        ),
        (
            "round(1.7e308, -308)",
            "OverflowError: rounded value too large to represent",
        ),
        (
            "round('x')",
            "TypeError: type str doesn't define __round__ method",
        ),
    ])
    .await;
}

pub(super) async fn library() {
    answers(&[
        (
            "import re\nre.match('(a)(?P<x>b)?', 'a').expand(r'\\1-\\g<x>!')",
            "a-!",
        ),
        (
            "from datetime import date\nrepr(date(2024, 12, 30).isocalendar())",
            "datetime.IsoCalendarDate(year=2025, week=1, weekday=1)",
        ),
        (
            "import json\nrepr(json.loads('[0, -1, 1.5e3, 1E2, {\"a\": [12]}]'))",
            "[0, -1, 1500.0, 100.0, {'a': [12]}]",
        ),
        (
            "import json\njson.loads('[1.10]', parse_float=str)[0]",
            "1.10",
        ),
    ])
    .await;
    failures(&[
        (
            "import json\njson.loads('01')",
            "JSONDecodeError: Extra data: line 1 column 2 (char 1)",
        ),
        (
            "import json\njson.loads('1-2')",
            "JSONDecodeError: Extra data: line 1 column 2 (char 1)",
        ),
        (
            "import json\njson.loads('[1.]')",
            "JSONDecodeError: Expecting ',' delimiter: line 1 column 3 (char 2)",
        ),
        (
            "import json\njson.loads('[' * 50000)",
            "RecursionError: maximum recursion depth exceeded while decoding a JSON document",
        ),
        (
            "from decimal import Decimal, DivisionByZero\ntry:\n    Decimal(1) / 0\n\
             except DivisionByZero as error:\n    raise ValueError(isinstance(error, ZeroDivisionError))",
            "ValueError: True",
        ),
    ])
    .await;
}

pub(super) async fn exception_bases() {
    answers(&[
        (
            "class AppError(Exception): pass\nclass NotFound(AppError, KeyError): pass\n\
             class Late(AppError, TimeoutError): pass\nclass Bad(AppError, ImportError): pass\n\
             repr((NotFound('k'), Late(1, 'x').errno, Bad('m', name='n').name))",
            "(NotFound('k'), 1, 'n')",
        ),
        (
            "repr((OSError(2, 'x'), ExceptionGroup('g', [ValueError()]).exceptions))",
            "(FileNotFoundError(2, 'x'), (ValueError(),))",
        ),
    ])
    .await;
}
