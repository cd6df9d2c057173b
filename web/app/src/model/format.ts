/** Times, names and colours as people see them. */

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const dateWithYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

const DAY_MS = 24 * 3_600_000;

export function dayOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** Whole days before today; daylight saving makes days of 23 and 25 hours. */
function daysAgo(ms: number): number {
  return Math.round((dayOf(Date.now()) - dayOf(ms)) / DAY_MS);
}

export function timeOfDay(ms: number): string {
  return clock.format(ms);
}

/** For the list: today the time, this week the day, else the date. */
export function shortTime(ms: number): string {
  const days = daysAgo(ms);
  if (days <= 0) return clock.format(ms);
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(ms);
  return days < 300 ? date.format(ms) : dateWithYear.format(ms);
}

/** For the line between two days. */
export function dayName(ms: number): string {
  const days = daysAgo(ms);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(ms);
  return days < 300 ? longDate.format(ms) : dateWithYear.format(ms);
}

export function fullTime(ms: number): string {
  return full.format(ms);
}

export function lastSeen(ms: number): string {
  const minutes = Math.floor((Date.now() - ms) / 60_000);
  if (minutes < 1) return 'last seen just now';
  if (minutes < 60) return `last seen ${minutes} min ago`;
  return `last seen ${daysAgo(ms) === 0 ? `at ${timeOfDay(ms)}` : shortTime(ms)}`;
}

/** One or two letters for a picture. */
export function initials(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  const picked = letters.map((word) => [...(word ?? '')][0] ?? '').join('');
  return (picked || [...name][0] || '?').toLocaleUpperCase();
}

/** One of twelve colours, the same for a name on every device. */
export function colourOf(name: string): number {
  let hash = 2_166_136_261;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return (hash >>> 0) % 12;
}
