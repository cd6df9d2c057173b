/** Line icons, 24 by 24, drawn for this page. */

import type { ComponentChildren } from 'preact';

const PATHS: Record<string, ComponentChildren> = {
  search: <path d="M11 19a8 8 0 1 0 0-16 8 8 0 0 0 0 16Zm10 2-4.3-4.3" />,
  compose: <path d="M12 20h9M16.5 3.5a2.1 2.1 0 0 1 3 3L7 19l-4 1 1-4L16.5 3.5Z" />,
  send: <path d="M5 12h13M12 5l7 7-7 7" />,
  smile: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5s1.2 2 3.5 2 3.5-2 3.5-2M9 9.5h.01M15 9.5h.01" />,
  back: <path d="M19 12H5m7-7-7 7 7 7" />,
  close: <path d="M18 6 6 18M6 6l12 12" />,
  down: <path d="m6 9 6 6 6-6" />,
  info: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v5m0-8h.01" />,
  settings: (
    <path d="M4 7h9m4 0h3M4 17h3m4 0h9M15 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM9 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z" />
  ),
  devices: <path d="M4 5h13a1 1 0 0 1 1 1v3M2 17h11M5 14V6m13 14h-3a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1h5a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2Z" />,
  people: (
    <path d="M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 9c0-3.3 2.9-5.5 6.5-5.5s6.5 2.2 6.5 5.5M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 15c1.9.8 3 2.6 3 5" />
  ),
  pin: <path d="m14 4 6 6-3.5 1-3 3-.5 4.5L5.500 11l4.500-.5 3-3L14 4ZM9 15l-5 5" />,
  mute: <path d="M17.700 17.700H4.500S6.500 15.500 6.500 11c0-.8.1-1.500.3-2.100M9 6.300A5.500 5.500 0 0 1 17.500 11c0 1.200.1 2.200.4 3M10.300 20.500a2 2 0 0 0 3.400 0M3 3l18 18" />,
  archive: <path d="M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8M3 4h18v4H3V4Zm7 8h4" />,
  block: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.700 5.700l12.600 12.600" />,
  retry: <path d="M20 11A8 8 0 1 0 18 17m2-12v6h-6" />,
  trash: <path d="M4 7h16M9 7V4h6v3m3 0-1 13H7L6 7m4 4v5m4-5v5" />,
  plus: <path d="M12 5v14M5 12h14" />,
  check: <path d="m5 12.500 4.500 4.500L19 7.500" />,
  leave: <path d="M14 4h5a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-5m-4-4-4-4 4-4m-4 4h10" />,
  sun: <path d="M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-13v1.500m0 15V21M4.900 4.900l1.100 1.100m12 12 1.100 1.100M3 12h1.500m15 0H21M4.900 19.100 6 18M18 6l1.100-1.100" />,
  moon: <path d="M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z" />,
  alert: <path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5.500m0 3.500h.01" />,
  key: <path d="M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm3-6.800L20 3m-3.500 3.500L19 9m-5-.5 1.500 1.500" />,
};

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: string; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}

/** The mark of the product: an iris. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path class="logo-back" d="M16 3c4 3.500 5.500 7 5.500 10.500S19.500 19 16 19s-5.500-2-5.500-5.500S12 6.500 16 3Z" />
      <path class="logo-left" d="M4 12c5 0 8.500 1.500 10.300 4.300S15.500 22 13 24s-5.500 1-7.300-2S3.500 16.500 4 12Z" />
      <path class="logo-right" d="M28 12c-5 0-8.500 1.500-10.300 4.300S16.500 22 19 24s5.500 1 7.300-2 2.200-5.500 1.700-10Z" />
      <path class="logo-heart" d="M16 17.500c1.700 2.300 2.200 5.500 0 11.500-2.200-6-1.700-9.200 0-11.500Z" />
    </svg>
  );
}

/** How far a message is: waiting, sent, delivered, read. */
export function Ticks({ state }: { state: 'waiting' | 'sent' | 'delivered' | 'read' | 'failed' }) {
  const names = { waiting: 'Sending', sent: 'Sent', delivered: 'Delivered', read: 'Read', failed: 'Not sent' };
  return (
    <span class={`ticks ticks-${state}`} role="img" aria-label={names[state]}>
      <svg width="17" height="12" viewBox="0 0 17 12" aria-hidden="true" focusable="false">
        {state === 'waiting' && <path d="M8.500 10.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM8.500 3.500V6l1.700 1" />}
        {state === 'sent' && <path d="m3.500 6.500 3 3 6-7" />}
        {state === 'failed' && <path d="M8.500 10.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM8.500 3.700v3M8.500 8.500v.01" />}
        {(state === 'delivered' || state === 'read') && <path d="m1 6.500 3 3 6-7M7.300 9.300l.2.2 6-7" />}
      </svg>
    </span>
  );
}
