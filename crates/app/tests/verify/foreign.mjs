// A server for Node.js, without packages, that behaves as its first argument says: what `foreign.py` does on stdin and
// stdout, as far as another language may do it another way.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const mode = process.argv[2];
const MEGABYTE = 1 << 20;

function tools() {
  const tool = {
    name: 'greet',
    title: 'Greet',
    description: 'Greets somebody.',
    inputSchema: {
      type: 'object',
      properties: { times: { type: 'integer', description: 'How often.', minimum: 1, maximum: 10 } },
      required: ['times'],
    },
    annotations: { readOnlyHint: true },
    'x-unknown': { kept: true },
  };
  switch (mode) {
    case 'changed':
      tool.description = 'Greets anybody.';
      break;
    case 'wider':
      tool.inputSchema.properties.times.maximum = 100;
      break;
    case 'hidden':
      tool.inputSchema.properties.times.description = 'How\u200b often\u202e.';
      break;
    case 'new':
      return [tool, { name: 'part', description: 'Says goodbye.', inputSchema: { type: 'object' } }];
  }
  return [tool];
}

function listTools({ cursor }) {
  switch (mode) {
    case 'partial':
      if (cursor) throw new Error('the second page is broken');
      return { tools: tools(), nextCursor: '2' };
    case 'endless':
      return { tools: [], nextCursor: String(Number(cursor ?? 0) + 1) };
    case 'dies':
      console.error('It breaks.');
      process.exit(3);
  }
  return { tools: tools() };
}

function result(method, params) {
  const isModern = mode === 'modern';
  const identity = { name: 'snake', version: '1.0.0' };
  const said = { capabilities: { tools: {}, resources: {} }, instructions: 'A server in plain words.' };
  switch (method) {
    case 'initialize':
      if (isModern) break;
      return { ...said, protocolVersion: params.protocolVersion, serverInfo: identity };
    case 'server/discover':
      if (!isModern) break;
      return {
        ...said,
        supportedVersions: ['2026-07-28'],
        _meta: { 'io.modelcontextprotocol/serverInfo': identity },
      };
    case 'tools/list':
      return listTools(params);
    case 'resources/list': {
      // What is of the content changes from one start to the next.
      const annotations = { lastModified: new Date().toISOString() };
      const resource = { uri: 'snake://skin', name: 'skin', mimeType: 'text/plain', size: process.pid, annotations };
      return { resources: [resource] };
    }
  }
  throw Object.assign(new Error(`no ${method}`), { code: -32601 });
}

function answer({ id, method, params = {} }) {
  try {
    return { jsonrpc: '2.0', id, result: result(method, params) };
  } catch ({ code = -32603, message }) {
    return { jsonrpc: '2.0', id, error: { code, message } };
  }
}

process.stdout.on('error', () => process.exit(0));

if (mode === 'noise') {
  for (;;) {
    try {
      writeSync(1, `${'starting '.repeat(1000)}\n`);
    } catch ({ code }) {
      // The pipe is full; or nobody reads it any more.
      if (code !== 'EAGAIN') process.exit(0);
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.id === undefined || request.method === undefined || mode === 'mute') continue;
  if (request.method === 'tools/list' && mode === 'huge') {
    process.stdout.write(`{"jsonrpc": "2.0", "id": ${request.id}, "result": {"tools": ["`);
    for (let part = 0; part < 200; part++) {
      if (!process.stdout.write('x'.repeat(MEGABYTE))) {
        await new Promise((resolve) => process.stdout.once('drain', resolve));
      }
    }
    process.stdout.write('"]}}\n');
    continue;
  }
  const text = JSON.stringify(answer(request));
  if (mode === 'member-twice') {
    process.stdout.write(`${text.replace('"name":"greet"', '"name":"part","name":"greet"')}\n`);
    continue;
  }
  process.stdout.write(`${text}\n`);
}
