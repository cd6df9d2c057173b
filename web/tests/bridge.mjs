// A stand-in for the server's web listener: serves a directory and carries WebSocket messages to the TLS listener.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json', '.png': 'image/png' };
export const CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `target()` gives {address, ca_file} each time, so that the server may be restarted. */
export async function bridge(directory, target, port = 0) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(request.url.split('?')[0]));
    const file = join(directory, path === '/' ? 'index.html' : path);
    try {
      const body = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server, path: '/ws', maxPayload: 256 * 1024 });
  sockets.on('connection', (socket) => {
    const { address, ca_file } = target();
    const [host, at] = [address.slice(0, address.lastIndexOf(':')), Number(address.slice(address.lastIndexOf(':') + 1))];
    const upstream = connect({ host, port: at, ca: readFileSync(ca_file), servername: 'localhost', minVersion: 'TLSv1.3' });
    let pending = Buffer.alloc(0);
    upstream.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      let end = 0;
      while (pending.length >= end + 3 && pending.length >= end + 3 + pending.readUInt16BE(end + 1)) end += 3 + pending.readUInt16BE(end + 1);
      if (end > 0) socket.send(pending.subarray(0, end));
      pending = pending.subarray(end);
    });
    socket.on('message', (data) => upstream.write(data));
    const end = () => { socket.terminate(); upstream.destroy(); };
    upstream.on('close', end).on('error', end);
    socket.on('close', end).on('error', end);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => new Promise((resolve) => { for (const client of sockets.clients) client.terminate(); server.closeAllConnections(); server.close(resolve); }) };
}
