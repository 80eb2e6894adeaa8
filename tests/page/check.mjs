// Opens the page of each server in Chromium, looks at it as a person and axe-core would, and counts what it asks for.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const { source } = require("axe-core");

const [, , made, screenshots, pymcp, hostile] = process.argv;

// What Chromium asks for by itself would not be a request of the page.
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const START = 20_000;

// The server is checked with its defaults, whatever the caller has exported.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(PYMCP_|FASTMCP_|MCP_SERVER_|HOSTILE_|ASGI_CORS_)/.test(name)),
);

/** Runs a server on a free port while `use` looks at it. */
async function serving(program, options, use) {
  const process = spawn(program, ["serve", "--transport", "http", "--port", "0", ...options], {
    cwd: mkdtempSync(join(made, "server-")),
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = [];
  try {
    const address = await new Promise((found, failed) => {
      setTimeout(() => failed(new Error(`no address within ${START} ms; it said:\n${said.join("\n")}`)), START).unref();
      process.on("error", failed);
      process.on("close", (code) => failed(new Error(`it ended with ${code}; it said:\n${said.join("\n")}`)));
      createInterface({ input: process.stderr }).on("line", (line) => {
        if (said.length < 50) said.push(line);
        const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
        if (line.includes("listening on") && url) found(url[0]);
      });
    });
    await use(address);
  } finally {
    process.removeAllListeners("close");
    const ended = once(process, "exit");
    if (process.exitCode === null && process.kill()) await ended;
  }
}

let passed = 0;

/** Opens a page as one visitor, and checks what is true of every page. */
async function visit(browser, url, { size, scheme, scripts, name }) {
  const what = `${name} ${size} ${scheme}${scripts ? "" : " without scripts"}`;
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: scheme, javaScriptEnabled: scripts });
  try {
    const page = await context.newPage();
    const requests = [];
    const complaints = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    const response = await page.goto(url, { waitUntil: "networkidle" });
    assert.equal(response.status(), 200, what);
    assert.match(response.headers()["content-security-policy"], /default-src 'none'/, what);
    await page.screenshot({ path: join(screenshots, `${what.replaceAll(" ", "-")}.png`), fullPage: true });

    for (const open of [false, true]) {
      if (open) await openAll(page);
      const [inside, outside] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(inside <= outside, `${what}, ${open ? "open" : "closed"}: it is ${inside} px wide, and the window ${outside}`);
    }
    await page.screenshot({ path: join(screenshots, `${what.replaceAll(" ", "-")}-open.png`), fullPage: true });

    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bright = Number(/\d+/.exec(ground)[0]) > 127;
    assert.equal(bright, scheme === "light", `${what}: the ground is ${ground}`);
    const buttons = await page.locator("button:visible").count();
    assert.equal(buttons > 0, scripts, `${what}: ${buttons} buttons to copy`);

    if (scripts) {
      // The policy of the page lets no other script in; that of the debugger does not count.
      const found = await page.evaluate(`${source}; axe.run(document)`);
      // What it cannot tell of colours is a finding as well: nothing here lies over anything else.
      const unsure = found.incomplete.filter(({ id }) => id === "color-contrast");
      const violations = [...found.violations, ...unsure].map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => node.html).join("\n")}`);
      assert.deepEqual(violations, [], what);
    }
    assert.deepEqual(await outline(page), [], what);
    assert.deepEqual(requests.filter((one) => !one.startsWith("data:")), [url], `${what}: all that it may ask for is itself`);
    assert.deepEqual(complaints, [], what);
    passed += 1;
    return { page, context, what };
  } catch (error) {
    await context.close();
    throw error;
  }
}

async function openAll(page) {
  await page.evaluate(() => {
    for (const one of document.querySelectorAll("details")) {
      one.removeAttribute("name");
      one.open = true;
    }
  });
}

/** What is wrong with the headings, landmarks and anchors. */
function outline(page) {
  return page.evaluate(() => {
    const wrong = [];
    const count = (selector) => document.querySelectorAll(selector).length;
    for (const one of ["h1", "main", "header", "footer"]) {
      if (count(one) !== 1) wrong.push(`${count(one)} of ${one}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");
    for (const link of document.querySelectorAll("a[href^='#']")) {
      if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(`${link.href} leads nowhere`);
    }
    for (const one of document.querySelectorAll("body *")) {
      const scripted = one.getAttributeNames().find((name) => name.startsWith("on") || name === "style");
      if (scripted) wrong.push(`${one.tagName} has ${scripted}`);
    }
    if (count("script") !== 1) wrong.push(`${count("script")} scripts`);
    if (count("iframe, object, embed, form, link[rel=stylesheet], base") !== 0) wrong.push("something is embedded");
    const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e0fff}]/u;
    const found = hidden.exec(document.documentElement.outerHTML);
    if (found) wrong.push(`U+${found[0].codePointAt(0).toString(16)} is hidden in it`);
    return wrong;
  });
}

/** Every size and scheme of one page; `look` sees each that has scripts. */
async function visits(browser, name, url, look = async () => {}) {
  for (const size of Object.keys(SIZES)) {
    for (const scheme of ["light", "dark"]) {
      const visited = await visit(browser, url, { size, scheme, scripts: true, name });
      await look(visited.page, visited.what);
      await visited.context.close();
    }
  }
  const visited = await visit(browser, url, { size: "phone", scheme: "light", scripts: false, name });
  await visited.context.close();
}

const profile = mkdtempSync(join(made, "profile-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [...QUIET, `--crash-dumps-dir=${profile}`],
});
try {
  await serving(pymcp, [], async (address) => {
    await visits(browser, "pymcp", `${address}/`, async (page, what) => {
      for (const section of ["connect", "tools", "limits"]) {
        assert.equal(await page.locator(`h2#${section}`).count(), 1, `${what}: ${section}`);
      }
      assert.equal(await page.locator("#endpoint").textContent(), `${address}/mcp`, what);
    });
    // A browser that is sent to the endpoint, and the clipboard.
    const visited = await visit(browser, `${address}/mcp`, { size: "desktop", scheme: "light", scripts: true, name: "endpoint" });
    await visited.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await visited.page.locator("button[data-copies=endpoint]").click();
    await visited.page.locator("button[data-copies=endpoint]", { hasText: "Copied" }).waitFor();
    assert.equal(await visited.page.evaluate(() => navigator.clipboard.readText()), `${address}/mcp`);
    await visited.context.close();
  });
  console.log(`PyMCP: ${passed} visits`);

  await serving(hostile, [], async (address) => {
    await visits(browser, "hostile", `${address}/`, async (page, what) => {
      assert.ok((await page.title()).startsWith("hostile </code></title>"), `${what}: ${await page.title()}`);
      const body = await page.locator("body").textContent();
      for (const shown of ["<script>document.title='owned'</script>", "{{ 7 * 7 }}", "[U+202E]txt.exe[U+2066]"]) {
        assert.ok(body.includes(shown), `${what}: ${shown}`);
      }
      assert.ok(!body.includes("/srv/secret"), what);
    });
  });

  const tokens = join(made, "tokens.toml");
  const written = spawnSync(hostile, ["token", "new", "ci", "--file", tokens], { env: environment, encoding: "utf8" });
  assert.equal(written.status, 0, written.stderr);
  await serving(hostile, ["--auth", "token", "--auth-tokens", tokens], async (address) => {
    await visits(browser, "summary", `${address}/`, async (page, what) => {
      assert.equal(await page.locator("h3").count(), 0, what);
      assert.ok(!(await page.locator("body").textContent()).includes("instructions"), what);
    });
  });
} catch (error) {
  console.error(`FAILED: ${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${process.exitCode ? 1 : 0} failed`);
