// What a client has to do with each vector; the same in Node and in a browser, so without anything of either.

function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** With the keys of every object in order, so that equal values are equal texts. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

function same(found, wanted, what) {
  const [one, other] = [JSON.stringify(sorted(found)), JSON.stringify(sorted(wanted))];
  if (one !== other) throw new Error(`${what}: ${one} is not ${other}`);
}

/** Throws at the first that fails; gives how many there were. */
export function runVectors(module, vectors) {
  const { frames, extended, malformed } = vectors;
  if (frames.length < 30 || extended.length < 3 || malformed.length < 5) throw new Error('vectors are missing');
  for (const { frame, from, fields, bytes } of frames) {
    same(JSON.parse(module.vectorFields(from, bytesOf(bytes))), { frame, fields }, frame);
    same(hexOf(module.vectorBytes(from, frame, JSON.stringify(fields))), bytes, frame);
  }
  for (const { frame, from, fields, bytes } of extended) {
    same(JSON.parse(module.vectorFields(from, bytesOf(bytes))), { frame, fields }, `extended ${frame}`);
  }
  for (const { why, from, bytes } of malformed) {
    let isRead = true;
    try {
      module.vectorFields(from, bytesOf(bytes));
    } catch {
      isRead = false;
    }
    if (isRead) throw new Error(`malformed, but read: ${why}`);
  }
  return frames.length + extended.length + malformed.length;
}
