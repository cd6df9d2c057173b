/** Dark or light: as the system, or as the person says. Runs before anything is drawn. */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'iris.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

export function theme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

export function setTheme(wanted: Theme): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Nothing is kept in this browser: it holds until the page goes.
  }
  show(wanted);
}

function show(wanted: Theme): void {
  const isDark = wanted === 'dark' || (wanted === 'system' && dark.matches);
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', isDark ? '#17171b' : '#f7f7fa');
}

export function followTheme(): void {
  show(theme());
  dark.addEventListener('change', () => show(theme()));
  addEventListener('storage', ({ key }) => key === KEY && show(theme()));
}
