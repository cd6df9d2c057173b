// Fills a conversation fast: the protocol by its own codec, without a client's outbox.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';

const VECTORS = new URL('../../target/web/vectors/', import.meta.url);
const BATCH = 512;

function hex(bytes) {
  return Buffer.from(bytes).toString('hex');
}

/** A UUID of version 7, dated now. */
function messageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = Buffer.from(bytes);
  id.writeUIntBE(Date.now(), 0, 6);
  id[6] = 0x70 | (id[6] & 0x0f);
  id[8] = 0x80 | (id[8] & 0x3f);
  return hex(id);
}

/** Sends `count` texts from one user to another, numbered from 1. */
export async function fill(server, user, to, count, text = (number) => `message ${number}`) {
  const codec = await import(new URL('iris_client_web.js', VECTORS).href);
  await codec.default({ module_or_path: readFileSync(new URL('iris_client_web_bg.wasm', VECTORS)) });
  const token = await server.token(user);
  const socket = new WebSocket(server.socket);
  const send = (frame, fields) => socket.send(codec.vectorBytes('client', frame, JSON.stringify(fields)));
  let sent = 0;
  let answered = 0;
  const more = () => {
    const items = [];
    for (; sent < count && items.length < BATCH; sent += 1) {
      items.push({ request: (sent % BATCH) + 1, id: messageId(), previous: null, to, body: { kind: 1, text: text(sent + 1) } });
    }
    if (items.length > 0) send('SendBatch', { items });
  };
  await new Promise((resolve, reject) => {
    const take = (bytes) => {
      const { frame, fields } = JSON.parse(codec.vectorFields('server', bytes));
      if (frame === 'Ready') more();
      else if (frame === 'Batch' || frame === 'Sent') answered += frame === 'Sent' ? 1 : fields.items.length;
      else if (frame !== 'ServerHello') reject(new Error(`${frame} ${JSON.stringify(fields)}`));
      if (answered === count) resolve();
      else if (frame !== 'Ready' && answered === sent && sent > 0) more();
    };
    socket.on('message', (data) => {
      for (let at = 0; at < data.length; ) {
        const end = at + 3 + data.readUInt16BE(at + 1);
        take(data.subarray(at, end));
        at = end;
      }
    });
    socket.on('error', reject);
    socket.on('open', () => {
      send('Hello', { versions: 2, capabilities: 0 });
      const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
      send('Authenticate', { token, device: 'filler', nonce, at: Date.now() });
    });
  });
  assert.equal(answered, count);
  socket.close();
}
