//! Files in memory, and what is left of the host.

use pymcp_python::Pool;

use super::{answers, failures};
use crate::{config, run, text};

pub(super) async fn compiled() {
    answers(&[(
        "import _imp, gc, importlib.machinery, sys, sysconfig\nsysconfig.get_config_vars()\n\
         names = [name for name in sys.modules if name.startswith('_sysconfigdata')]\n\
         for name in [*names, '_sysconfigdata']:\n    \
         _imp.create_builtin(importlib.machinery.ModuleSpec(name, None))\n    \
         sys.modules.pop(name, None)\n    \
         __import__(name)\n\
         found = {key for one in gc.get_objects() if type(one) is dict for key in one if type(key) is str}\n\
         repr(sorted(key for key in found if key.startswith(('CARGO', 'RUST')) or key == 'PATH'))",
        "[]",
    )])
    .await;
}

pub(super) async fn files() {
    answers(&[
        (
            "with open('a.txt', 'w') as f:\n    f.write('one\\nzwö\\n')\n\
             with open('a.txt', 'a') as f:\n    print('three', file=f)\n\
             repr((open('a.txt').readlines(), open('a.txt', 'rb').read(4)))",
            "(['one\\n', 'zwö\\n', 'three\\n'], b'one\\n')",
        ),
        (
            "with open('b', 'wb+') as f:\n    f.write(bytes(10))\n    f.seek(3)\n    f.write(b'xy')\n    \
             f.truncate(7)\n    f.seek(-5, 2)\n    part = f.read()\nrepr(part)",
            "b'\\x00xy\\x00\\x00'",
        ),
        ("import os\nos.getcwd()", "/tmp"),
        (
            "import pathlib, shutil, os\np = pathlib.Path('d/e')\np.mkdir(parents=True)\n\
             (p / 'n.txt').write_text('héllo')\nshutil.copytree('d', 'c')\n\
             os.rename('c/e/n.txt', 'c/m.txt')\nos.rmdir('c/e')\n\
             repr((sorted(map(str, pathlib.Path('.').rglob('*'))), (p / 'n.txt').stat().st_size))",
            "(['c', 'c/m.txt', 'd', 'd/e', 'd/e/n.txt'], 6)",
        ),
        (
            "import tempfile, os\nwith tempfile.TemporaryDirectory() as d:\n    \
             with tempfile.NamedTemporaryFile('w', dir=d, delete=False) as f:\n        f.write('x')\n    \
             there = os.path.getsize(f.name)\nrepr((there, os.path.exists(f.name)))",
            "(1, False)",
        ),
        (
            "import json, csv, zipfile, gzip\njson.dump({'a': [1]}, f := open('j', 'w'))\nf.close()\n\
             with open('c', 'w', newline='') as f:\n    csv.writer(f).writerow(['x', 'y,z'])\n\
             with zipfile.ZipFile('z', 'w') as z:\n    z.write('j')\n\
             with gzip.open('g', 'wt') as f:\n    f.write('hi')\n\
             repr((json.load(open('j')), list(csv.reader(open('c'))), \
             zipfile.ZipFile('z').read('j'), gzip.open('g').read()))",
            "({'a': [1]}, [['x', 'y,z']], b'{\"a\": [1]}', b'hi')",
        ),
        (
            "import os\nfd = os.open('o', os.O_RDWR | os.O_CREAT)\nos.write(fd, b'12345')\n\
             os.lseek(fd, 1, os.SEEK_SET)\nhead = os.read(fd, 2)\nos.ftruncate(fd, 3)\n\
             with os.fdopen(fd, 'r+') as f:\n    f.seek(0)\n    whole = f.read()\nrepr((head, whole))",
            "(b'23', '123')",
        ),
        (
            "open('mine.py', 'w').write('X = 5')\nimport mine\nmine.X",
            "5",
        ),
    ])
    .await;
}

pub(super) async fn file_errors() {
    failures(&[
        (
            "open('gone')",
            "FileNotFoundError: [Errno 2] No such file or directory: 'gone'",
        ),
        (
            "open('/tmp')",
            "IsADirectoryError: [Errno 21] Is a directory: '/tmp'",
        ),
        (
            "open('/dev/null/x')",
            "NotADirectoryError: [Errno 20] Not a directory: '/dev/null/x'",
        ),
        (
            "open('a', 'x').close()\nopen('a', 'x')",
            "FileExistsError: [Errno 17] File exists: 'a'",
        ),
        (
            "import os\nos.makedirs('d/e')\nos.rmdir('d')",
            "OSError: [Errno 39] Directory not empty: 'd'",
        ),
        (
            "import os\nos.rename('gone', 'b')",
            "FileNotFoundError: [Errno 2] No such file or directory: 'gone' -> 'b'",
        ),
        (
            "import pathlib\npathlib.Path('gone').unlink()",
            "FileNotFoundError: [Errno 2] No such file or directory: 'gone'",
        ),
        (
            "open('a', 'rw')",
            "ValueError: must have exactly one of create/read/write/append mode",
        ),
        (
            "open('w', 'w').read()",
            "UnsupportedOperation: not readable",
        ),
        (
            "import os\nos.close(99)",
            "OSError: [Errno 9] Bad file descriptor",
        ),
        (
            "open('big', 'wb').truncate(1 << 40)",
            "OSError: [Errno 27] File too large",
        ),
        (
            "open('/usr/share/zoneinfo/Mine', 'w')",
            "OSError: [Errno 30] Read-only file system: '/usr/share/zoneinfo/Mine'",
        ),
        (
            "import os\nos.symlink('a', 'b')",
            "PermissionError: [Errno 1] links between files are not available here",
        ),
    ])
    .await;
}

pub(super) async fn files_end() {
    let pool = Pool::new(config());
    run(&pool, "open('/tmp/left', 'w').write('x')")
        .await
        .unwrap();
    let source = "import os\nrepr((os.listdir('/tmp'), os.path.exists('/tmp/left')))";
    assert_eq!(text(run(&pool, source).await), "([], False)");
}

pub(super) async fn no_trace() {
    answers(&[
        ("import os\nrepr(dict(os.environ))", "{}"),
        (
            "import os\nrepr(sorted(os.listdir('/')))",
            "['dev', 'etc', 'home', 'tmp', 'usr', 'var']",
        ),
        (
            "import os\nrepr([os.path.exists(p) for p in ('/etc/passwd', '/proc', '/root', '/bin')])",
            "[False, False, False, False]",
        ),
        (
            "import os, platform, socket\n\
             repr((os.getpid(), os.cpu_count(), platform.node(), socket.gethostname()))",
            "(1, 1, 'localhost', 'localhost')",
        ),
        (
            "import sys\nrepr((sys.executable, sys.path, sys.platform))",
            "('', [''], 'linux')",
        ),
    ])
    .await;
}
