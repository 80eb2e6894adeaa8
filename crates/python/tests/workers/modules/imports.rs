//! What can be imported, and what is said of the rest.

use super::{answers, failures};

pub(super) async fn denied() {
    let mut cases = Vec::new();
    for (what, statements) in [
        (
            "processes are not available here: \
             this Python runs alone, so use a function or a module instead",
            &[
                "import os\nos.fork()",
                "import os\nos.system('ls')",
                "import os\nos.popen('ls')",
                "import os\nos.execvp('ls', ['ls'])",
                "import subprocess\nsubprocess.run(['ls'])",
                "import multiprocessing\nmultiprocessing.Pool(2)",
                "import concurrent.futures as c\nc.ProcessPoolExecutor()",
                "import asyncio\nasyncio.run(asyncio.create_subprocess_exec('ls'))",
            ][..],
        ),
        (
            "threads are not available here: call the function directly, or use asyncio",
            &[
                "import threading\nthreading.Thread(target=print).start()",
                "import threading\nthreading.Timer(0, print).start()",
                "import _thread\n_thread.start_new_thread(print, ())",
                "import concurrent.futures as c\nlist(c.ThreadPoolExecutor().map(str, [1]))",
            ][..],
        ),
        (
            "network connections are not available here: \
             only what is in `inputs` and in the code can be used",
            &[
                "import socket\nsocket.socket()",
                "import socket\nsocket.create_connection(('localhost', 1))",
                "import urllib.request as u\nu.urlopen('http://localhost')",
                "import urllib.request as u\nu.urlopen('https://localhost')",
                "import asyncio\nasyncio.run(asyncio.open_connection('localhost', 1))",
            ][..],
        ),
        (
            "signals are not available here: a run ends at its time limit by itself",
            &[
                "import signal\nsignal.signal(signal.SIGINT, print)",
                "import signal\nsignal.alarm(1)",
                "import os\nos.kill(1, 9)",
            ][..],
        ),
    ] {
        let expected = format!("PermissionError: [Errno 1] {what}");
        cases.extend(
            statements
                .iter()
                .map(|&statement| (statement, expected.clone())),
        );
    }
    let cases: Vec<(&str, &str)> = cases.iter().map(|(s, e)| (*s, e.as_str())).collect();
    failures(&cases).await;
}

pub(super) async fn imports_that_fail() {
    let there = "only the standard library is available here (math, statistics, datetime, json, \
                 re, collections, itertools, random, csv, …)";
    failures(&[
        (
            "import numpy",
            &format!("ModuleNotFoundError: No module named 'numpy': {there}"),
        ),
        (
            "import requests.auth",
            &format!("ModuleNotFoundError: No module named 'requests': {there}"),
        ),
        (
            "import ctypes",
            "ImportError: ctypes is not available here: there is no native code to call",
        ),
        (
            "import mmap",
            "ModuleNotFoundError: No module named 'mmap': \
             memory-mapped files are not available here",
        ),
        // Left out of the library: they could not be imported anyway.
        (
            "import sqlite3",
            "ModuleNotFoundError: No module named 'sqlite3': databases are not available here",
        ),
        (
            "import tkinter.ttk",
            "ModuleNotFoundError: No module named 'tkinter': windows are not available here",
        ),
        (
            "import multiprocessing.managers",
            "ModuleNotFoundError: No module named 'multiprocessing.managers'",
        ),
        (
            "'x'.encode('shift_jis')",
            "LookupError: unknown encoding: shift_jis",
        ),
    ])
    .await;
    answers(&[(
        "import importlib.util as u\nrepr(u.find_spec('numpy'))",
        "None",
    )])
    .await;
}

pub(super) async fn imports() {
    let names = "abc argparse array ast asyncio base64 bisect bz2 calendar cmath code codecs \
        collections colorsys concurrent.futures configparser contextlib contextvars copy csv \
        dataclasses datetime decimal difflib dis doctest email.message enum errno fileinput \
        fnmatch fractions functools gc getopt getpass gettext glob graphlib gzip hashlib heapq \
        hmac html html.parser http.client importlib.metadata importlib.resources inspect io \
        ipaddress itertools json keyword linecache locale logging logging.handlers lzma math \
        mimetypes multiprocessing numbers operator optparse os pathlib pickle pkgutil platform \
        plistlib pprint pwd queue quopri random re reprlib runpy sched secrets select selectors \
        shelve shlex shutil signal socket ssl stat statistics string struct subprocess symtable \
        sysconfig tarfile tempfile textwrap threading time timeit token tokenize tomllib trace \
        traceback types typing unicodedata unittest unittest.mock urllib.parse urllib.request \
        uuid warnings wave weakref xml.dom.minidom xml.etree.ElementTree xml.sax zipfile zlib \
        zoneinfo";
    let source = format!(
        "failed = []\nfor name in {names:?}.split():\n    try:\n        __import__(name)\n    \
         except BaseException as error:\n        failed.append(f'{{name}}: {{error!r}}')\nrepr(failed)"
    );
    answers(&[(&source, "[]")]).await;
    // Of these a part was left out.
    let parts = "import io, contextlib, multiprocessing.pool, multiprocessing.dummy, dbm.dumb, pdb\n\
        with contextlib.redirect_stdout(io.StringIO()) as out:\n    help(len)\n\
        [multiprocessing.dummy.Pool is not None, 'container' in out.getvalue()]";
    answers(&[(parts, "[true,true]")]).await;
}
