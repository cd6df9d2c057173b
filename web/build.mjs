// Builds the SDK and the app into their `dist` directories; `cargo xtask web` runs it after the WebAssembly module is
// in `sdk/src/wasm`.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = process.argv[2] ?? here;
const [sdk, app] = [join(out, 'sdk/dist'), join(out, 'app/dist')];
const wasm = join(here, 'sdk/src/wasm');

for (const directory of [sdk, app]) rmSync(directory, { recursive: true, force: true });
mkdirSync(join(sdk, 'wasm'), { recursive: true });
mkdirSync(join(app, 'assets'), { recursive: true });

const tsc = join(here, 'node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '--project', join(here, 'sdk'), '--outDir', sdk], { stdio: 'inherit' });
for (const file of ['iris_client_web.js', 'iris_client_web.d.ts', 'iris_client_web_bg.wasm']) {
  cpSync(join(wasm, file), join(sdk, 'wasm', file));
}

await build({
  absWorkingDir: here,
  entryPoints: { iris: 'app/src/main.tsx', ticker: 'sdk/src/ticker.ts' },
  outdir: join(app, 'assets'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  alias: { '@iris/sdk': join(here, 'sdk/src/index.ts') },
  legalComments: 'none',
  charset: 'utf8',
});
await build({
  absWorkingDir: here,
  entryPoints: { iris: 'app/src/style/iris.css' },
  outdir: join(app, 'assets'),
  bundle: true,
  minify: true,
  target: ['chrome111', 'firefox113', 'safari16.4'],
  charset: 'utf8',
});
cpSync(join(wasm, 'iris_client_web_bg.wasm'), join(app, 'assets/iris_client_web_bg.wasm'));
cpSync(join(here, 'app/public/index.html'), join(app, 'index.html'));
for (const file of ['icon.svg', 'iris.webmanifest']) cpSync(join(here, 'app/public', file), join(app, 'assets', file));

// What is worth it goes over the wire compressed; the server takes `x.gz` as the variant of `x`.
const assets = join(app, 'assets');
for (const file of readdirSync(assets).filter((name) => /\.(css|js|wasm)$/.test(name))) {
  writeFileSync(join(assets, `${file}.gz`), gzipSync(readFileSync(join(assets, file)), { level: 9 }));
}
