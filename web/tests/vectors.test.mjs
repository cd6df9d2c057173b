// `docs/protocol-vectors.json` against the protocol as compiled to WebAssembly, in Node.
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { runVectors } from './vectors.mjs';

const glue = new URL('../../target/web/vectors/iris_client_web.js', import.meta.url);
const wasm = new URL('../../target/web/vectors/iris_client_web_bg.wasm', import.meta.url);
const vectors = JSON.parse(readFileSync(new URL('../../docs/protocol-vectors.json', import.meta.url), 'utf8'));

test('every vector reads, writes or is refused', async () => {
  const module = await import(glue.href);
  await module.default({ module_or_path: readFileSync(wasm) });
  runVectors(module, vectors);
});
