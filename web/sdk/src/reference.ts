/**
 * What goes along with a send and comes back with its outcome: the key under which its tab knows it, by which a send
 * that is asked for twice is still sent once, and the application's own text.
 */

interface Parts {
  key: string;
  reference: string | null;
}

/** As the machine keeps it. */
export function joinReference(key: string, reference: string | null): string {
  return JSON.stringify(reference === null ? { key } : { key, reference });
}

export function splitReference(joined: string | null): Parts | undefined {
  if (joined === null) return undefined;
  try {
    const parts = JSON.parse(joined) as Partial<Parts>;
    return typeof parts.key === 'string' ? { key: parts.key, reference: parts.reference ?? null } : undefined;
  } catch {
    return undefined;
  }
}

export function keyOf(joined: string | null): string | undefined {
  return splitReference(joined)?.key;
}
