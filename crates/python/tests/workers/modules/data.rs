//! Modules that read, write and draw data.

use pymcp_python::Pool;

use super::{answers, failures};
use crate::{config, run, text};

pub(super) async fn zones() {
    answers(&[
        (
            "from zoneinfo import ZoneInfo\nfrom datetime import datetime\n\
             n = ZoneInfo('America/New_York')\n\
             repr([datetime(y, m, 1, 12, tzinfo=n).isoformat()[-6:] for y, m in \
             ((2024, 1), (2024, 7), (2006, 4), (2008, 4))])",
            "['-05:00', '-04:00', '-05:00', '-04:00']",
        ),
        (
            "from zoneinfo import available_timezones\nlen(available_timezones()) > 400",
            "true",
        ),
    ])
    .await;
    failures(&[
        (
            "from zoneinfo import ZoneInfo\nZoneInfo('Mars/Olympus')",
            "ZoneInfoNotFoundError: 'No time zone found with key Mars/Olympus'",
        ),
        (
            "from zoneinfo import ZoneInfo\nZoneInfo('../etc/passwd')",
            "ValueError: ZoneInfo keys must be normalized relative paths, got: ../etc/passwd",
        ),
    ])
    .await;
}

pub(super) async fn xml() {
    answers(&[
        (
            "import xml.etree.ElementTree as E\n\
             r = E.fromstring('<a xmlns=\"u\" k=\"1\"><b>x &amp; &#65;</b><c/>t</a>')\n\
             repr([(e.tag, e.attrib, e.text, e.tail) for e in r.iter()])",
            "[('{u}a', {'k': '1'}, None, None), ('{u}b', {}, 'x & A', None), ('{u}c', {}, None, 't')]",
        ),
        (
            "from xml.dom import minidom\nminidom.parseString('<a><b k=\"v\">x</b></a>').toxml()",
            "<?xml version=\"1.0\" ?><a><b k=\"v\">x</b></a>",
        ),
    ])
    .await;
    let cases = [
        ("<a>", "no element found: line 1, column 3"),
        ("<a></b>", "mismatched tag: line 1, column 5"),
        (
            "<a b=1/>",
            "not well-formed (invalid token): line 1, column 5",
        ),
        ("<a/><b/>", "junk after document element: line 1, column 4"),
        ("<a>&nope;</a>", "undefined entity: line 1, column 3"),
        ("<p:a/>", "unbound prefix: line 1, column 0"),
    ]
    .map(|(document, expected)| {
        let statement = format!("import xml.etree.ElementTree as E\nE.fromstring('{document}')");
        (statement, format!("ParseError: {expected}"))
    });
    let cases = cases
        .each_ref()
        .map(|(source, expected)| (source.as_str(), expected.as_str()));
    failures(&cases).await;
    // The billion laughs: it ends where the entities become too long.
    failures(&[(
        "import xml.etree.ElementTree as E\nd = '<!ENTITY l0 \"lol\">' + ''.join(\n    \
         f'<!ENTITY l{i} \"{f\"&l{i - 1};\" * 10}\">' for i in range(1, 12))\n\
         E.fromstring(f'<!DOCTYPE a [{d}]><a>&l11;</a>')",
        "ParseError: limit on input amplification factor (from DTD and entities) breached: \
         line 1, column 0",
    )])
    .await;
}

pub(super) async fn blake2() {
    answers(&[
        (
            "import hashlib\nhashlib.blake2b(b'abc', digest_size=8).hexdigest()",
            "d8bb14d833d59559",
        ),
        (
            "import hashlib\nh = hashlib.blake2b(b'a', digest_size=8, key=b'k')\nh.hexdigest()",
            "6245303f83c1a9d3",
        ),
        (
            "import hashlib\nhashlib.blake2b(b'').hexdigest()[:16]",
            "786a02f742015903",
        ),
    ])
    .await;
}

pub(super) async fn randomness() {
    let pool = Pool::new(config());
    let source = "import random, secrets, uuid, os\n\
                  repr((random.random(), secrets.token_hex(8), str(uuid.uuid4()), os.urandom(4)))";
    let first = text(run(&pool, source).await);
    assert_ne!(first, text(run(&pool, source).await));
    let seeded = "import random\nrandom.seed(42)\nrepr((random.random(), random.randint(1, 100)))";
    assert_eq!(text(run(&pool, seeded).await), "(0.6394267984578837, 4)");
}

pub(super) async fn csv() {
    answers(&[
        (
            "import csv\nrepr(list(csv.reader(['a,\"b\\n', 'c\",d\\n', '', 'e'])))",
            "[['a', 'b\\nc', 'd'], [], ['e']]",
        ),
        (
            "import csv\nrepr(list(csv.reader(['1,\"a\",'], quoting=csv.QUOTE_NONNUMERIC)))",
            "[[1.0, 'a', '']]",
        ),
        (
            "import csv\nrepr(list(csv.reader(['\"x;\"\"y\";z'], delimiter=';')))",
            "[['x;\"y', 'z']]",
        ),
        (
            "import csv, io\ns = io.StringIO()\n\
             csv.writer(s).writerows([[], [''], ['a\"b', 'c,d', 1.5, None]])\nrepr(s.getvalue())",
            "'\\r\\n\"\"\\r\\n\"a\"\"b\",\"c,d\",1.5,\\r\\n'",
        ),
        (
            "import csv, io\nrepr(list(csv.DictReader(io.StringIO('x,y\\n1,2\\n'))))",
            "[{'x': '1', 'y': '2'}]",
        ),
    ])
    .await;
    failures(&[
        (
            "import csv\nlist(csv.reader(['\"a'], strict=True))",
            "Error: unexpected end of data",
        ),
        (
            "import csv\nlist(csv.reader(['a\\rb']))",
            "Error: new-line character seen in unquoted field - \
             do you need to open the file with newline=''?",
        ),
        (
            "import csv, io\ncsv.writer(io.StringIO(), quoting=csv.QUOTE_NONE).writerow(['a,b'])",
            "Error: need to escape, but no escapechar set",
        ),
    ])
    .await;
}

pub(super) async fn string_io() {
    answers(&[
        ("import io\nio.StringIO('é€').read(1)", "é"),
        (
            "import io\nrepr(io.StringIO('a\\r\\nb\\rc', newline=None).read())",
            "'a\\nb\\nc'",
        ),
        (
            "import io\nrepr(list(io.StringIO('a\\r\\nb\\rc', newline='')))",
            "['a\\r\\n', 'b\\r', 'c']",
        ),
        (
            "import io\ns = io.StringIO('äbc')\ns.seek(1)\ns.write('X')\ns.seek(5)\ns.write('q')\n\
             repr((s.getvalue(), s.tell()))",
            "('äXc\\x00\\x00q', 6)",
        ),
        (
            "import io\ns = io.StringIO('a\\nbc\\nd')\n\
             repr((s.readline(), s.readline(1), s.tell(), s.read(2), s.readlines()))",
            "('a\\n', 'b', 3, 'c\\n', ['d'])",
        ),
    ])
    .await;
}

pub(super) async fn bounded_reads() {
    answers(&[
        (
            "with open('a', 'w') as f:\n    f.write('x' * 20000)\n\
             repr((len(open('a', 'rb').read(2**62)), len(open('a').read(2**62))))",
            "(20000, 20000)",
        ),
        (
            "import zlib\nrepr(zlib.decompress(zlib.compress(b'a'), bufsize=2**62))",
            "b'a'",
        ),
    ])
    .await;
    failures(&[
        (
            "import io\nopen('a', 'w').close()\nio.BufferedReader(io.FileIO('a'), 2**62)",
            "MemoryError: ",
        ),
        (
            "import io\nio.BufferedReader(io.BytesIO(b'a')).read(2**62)",
            "MemoryError: ",
        ),
    ])
    .await;
}
