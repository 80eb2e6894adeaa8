//! Locks and event loops, for one thread.

use super::{answers, failures};

pub(super) async fn locks() {
    answers(&[
        (
            "import threading\nl = threading.Lock()\nwith l:\n    \
             r = l.acquire(timeout=0.01), l.acquire(False)\nrepr(r)",
            "(False, False)",
        ),
        (
            "import threading\ne = threading.Event()\na = e.wait(0.01)\ne.set()\nrepr((a, e.wait()))",
            "(False, True)",
        ),
        (
            "import threading\nr = threading.RLock()\nwith r, r:\n    x = threading.local()\n    \
             x.a = 1\nrepr((x.a, threading.active_count()))",
            "(1, 1)",
        ),
    ])
    .await;
    let deadlock = "RuntimeError: deadlock: \
                    this would wait forever, as there are no other threads here";
    failures(&[
        (
            "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
            deadlock,
        ),
        ("import queue\nqueue.Queue().get()", deadlock),
        ("import queue\nqueue.Queue().get(timeout=0.01)", "Empty: "),
    ])
    .await;
}

pub(super) async fn asyncio() {
    let head = "import asyncio\nasync def w(n, d=0):\n    await asyncio.sleep(d)\n    return n\n";
    let cases = [
        (
            "async def m(): return await asyncio.gather(w(1, 0.02), w(2, 0.01), w(3))",
            "[1, 2, 3]",
        ),
        (
            "async def m():\n    async with asyncio.TaskGroup() as g:\n        \
             a, b = g.create_task(w(1)), g.create_task(w(2))\n    return a.result() + b.result()",
            "3",
        ),
        (
            "async def m():\n    try:\n        async with asyncio.timeout(0.01):\n            \
             await asyncio.sleep(60)\n    except TimeoutError:\n        return 'late'",
            "'late'",
        ),
        (
            "async def m():\n    q = asyncio.Queue(1)\n    async def put():\n        \
             for i in range(3): await q.put(i)\n    asyncio.create_task(put())\n    \
             return [await q.get() for _ in range(3)]",
            "[0, 1, 2]",
        ),
        (
            "async def m(): return await asyncio.to_thread(sum, [1, 2, 3])",
            "6",
        ),
        (
            "async def m():\n    loop = asyncio.get_running_loop()\n    \
             return await loop.run_in_executor(None, pow, 2, 5)",
            "32",
        ),
        (
            "async def m():\n    t = asyncio.create_task(w(1, 60))\n    await asyncio.sleep(0)\n    \
             t.cancel()\n    try:\n        await t\n    except asyncio.CancelledError:\n        \
             return t.cancelled()",
            "True",
        ),
        (
            "async def m(): return [await f for f in asyncio.as_completed([w(1, 0.05), w(2)])]",
            "[2, 1]",
        ),
    ]
    .map(|(body, expected)| (format!("{head}{body}\nrepr(asyncio.run(m()))"), expected));
    let cases = cases
        .each_ref()
        .map(|(source, expected)| (source.as_str(), *expected));
    answers(&cases).await;
    failures(&[(
        "import asyncio\nasync def m(): await asyncio.Event().wait()\nasyncio.run(m())",
        "RuntimeError: deadlock: every task waits for something that will not happen",
    )])
    .await;
}
