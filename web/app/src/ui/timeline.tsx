/**
 * The messages of a chat: a window over what is loaded, which moves as one scrolls and loads more at its ends. So
 * the page holds as many elements for 100,000 messages as for 200.
 */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../model/app.js';
import type { Chat } from '../model/chat.js';
import { IconButton } from './parts.js';
import { Row, Waiting, placeOf, tick } from './messages.js';

/** Entries on the page at most, and how many come or go at once. */
const WINDOW = 160;
const STEP = 50;
/** Pixels from an end at which more is drawn, and at which one counts as being there. */
const NEAR = 900;
const AT_END = 40;

interface Anchor {
  seq: number;
  top: number;
}

type Wish = 'end' | 'unread' | { seq: number } | undefined;

export function Timeline({ app, chat, query }: { app: App; chat: Chat; query: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const { timeline } = chat;
  const { entries } = timeline;
  // The last entry of the window, by seq: indexes move when older entries come.
  const [end, setEnd] = useState<number>(Number.POSITIVE_INFINITY);
  const [isAtEnd, setAtEnd] = useState(true);
  const [, draw] = useState(0);
  const anchor = useRef<Anchor | undefined>(undefined);
  const wish = useRef<Wish>('unread');
  const loading = useRef(false);
  chat.changed.value;

  const held = end === Number.POSITIVE_INFINITY ? entries.length : Math.min(entries.length, timeline.indexOf(end) + 1);
  // Older entries that came while one looks at the first are drawn at once: there is nothing to scroll into before.
  const isAtTop = wish.current === undefined && (scroller.current?.scrollTop ?? NEAR) < NEAR;
  const to = isAtTop ? Math.max(held - STEP, Math.min(held, WINDOW)) : held;
  const from = Math.max(0, to - WINDOW);
  const showsEnd = to === entries.length && timeline.atEnd;
  const line = app.unreadLine.value;

  const keepPlace = () => {
    const box = scroller.current;
    if (!box) return;
    const top = box.getBoundingClientRect().top;
    const rows = box.querySelectorAll<HTMLElement>('[data-seq]');
    for (const row of rows) {
      const { top: rowTop, bottom } = row.getBoundingClientRect();
      if (bottom < top) continue;
      anchor.current = { seq: Number(row.dataset.seq), top: rowTop - top };
      return;
    }
  };

  // What is drawn next may lie above what one reads: remember where that is now, before anything changes.
  keepPlace();

  /** After each drawing: go where it was wished, stay at the end, or keep what was on the screen where it was. */
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box || !timeline.isLoaded) return;
    const wanted = wish.current;
    if (wanted === 'unread' && line > 0) {
      const mark = box.querySelector('.unread-line');
      if (mark) {
        wish.current = undefined;
        box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 4;
      } else if (timeline.indexOf(line) < entries.length && entries[timeline.indexOf(line)]?.seq === line) {
        setEnd(line + WINDOW / 2);
        return;
      }
    } else if (typeof wanted === 'object') {
      wish.current = undefined;
      const row = box.querySelector(`[data-seq="${wanted.seq}"]`);
      if (row) row.scrollIntoView({ block: 'center' });
    } else if (wanted !== undefined || (isAtEnd && showsEnd)) {
      wish.current = undefined;
      box.scrollTop = box.scrollHeight;
    } else if (anchor.current) {
      const row = box.querySelector(`[data-seq="${anchor.current.seq}"]`);
      if (row) box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top - anchor.current.top;
    }
    if (to !== held) setEnd(entries[to - 1]?.seq ?? end);
    looked();
  });

  const load = async (work: () => Promise<void>) => {
    if (loading.current) return;
    loading.current = true;
    try {
      await work();
    } finally {
      loading.current = false;
    }
  };

  /** Says what was read, and moves the window or loads when an end is near. */
  const looked = () => {
    const box = scroller.current;
    if (!box) return;
    markRead(app, chat, box);
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    const atEnd = showsEnd && below < AT_END;
    if (atEnd !== isAtEnd) setAtEnd(atEnd);
    if (box.scrollTop < NEAR) {
      // The drawing that follows moves the window.
      if (from > 0) draw((count) => count + 1);
      else if (!timeline.atStart) void load(() => app.loadOlder(chat));
    } else if (below < NEAR && !showsEnd) {
      if (to < entries.length) {
        const next = entries[to + STEP - 1];
        setEnd(next ? next.seq : Number.POSITIVE_INFINITY);
      } else if (!timeline.atEnd) void load(() => app.loadNewer(chat));
    }
    // Away from the end the window stays where it is, whatever comes.
    if (atEnd && end !== Number.POSITIVE_INFINITY) setEnd(Number.POSITIVE_INFINITY);
    else if (!atEnd && end === Number.POSITIVE_INFINITY && isAtEnd) setEnd(entries[to - 1]?.seq ?? end);
  };

  useEffect(() => {
    const show = (event: Event) => {
      const seq = (event as CustomEvent<number>).detail;
      wish.current = { seq };
      setEnd(seq + WINDOW / 2);
      chat.touch();
    };
    document.addEventListener('iris:show', show);
    return () => document.removeEventListener('iris:show', show);
  }, [chat]);

  const toEnd = async () => {
    app.unreadLine.value = 0;
    if (!timeline.atEnd) await app.load(chat, 0);
    wish.current = 'end';
    setEnd(Number.POSITIVE_INFINITY);
    setAtEnd(true);
    chat.touch();
  };

  const rows = [];
  for (let at = from; at < to; at += 1) {
    const entry = entries[at];
    if (!entry) continue;
    const own = entry.from === app.user;
    const found = query !== '' && (entry.body.text?.toLocaleLowerCase().includes(query) ?? false);
    const place = placeOf(entries, at, line);
    rows.push(
      <Row
        key={entry.seq}
        entry={entry}
        place={place}
        own={own}
        tick={tick(app, chat, entry)}
        showsName={chat.isGroup && !own}
        found={found}
        me={app.user}
      />,
    );
  }

  return (
    <div class="timeline-frame">
      <div class="timeline" ref={scroller} onScroll={looked} tabIndex={0} role="log" aria-label={`Messages with ${chat.name.value}`} aria-live="off">
        <div class="timeline-column">
          {!timeline.isLoaded && <Skeletons />}
          {timeline.isLoaded && timeline.atStart && from === 0 && <Beginning chat={chat} />}
          {timeline.isLoaded && !timeline.atStart && from === 0 && <span class="spinner spinner-line" aria-hidden="true" />}
          {rows}
          {showsEnd &&
            chat.waiting.value.map((outgoing, at) => (
              <Waiting key={`waiting-${outgoing.number}`} app={app} outgoing={outgoing} opens={at === 0} />
            ))}
          {chat.typing.value.size > 0 && showsEnd && <Typing chat={chat} />}
        </div>
      </div>
      {!isAtEnd && timeline.isLoaded && (
        <div class="to-end">
          {chat.unread > 0 && <span class="badge">{chat.unread > 99 ? '99+' : chat.unread}</span>}
          <IconButton icon="down" label="To the newest message" onClick={() => void toEnd()} />
        </div>
      )}
    </div>
  );
}

/** The last entry that is wholly on the screen of somebody who looks was read. */
export function markRead(app: App, chat: Chat, box: HTMLElement): void {
  if (document.visibilityState !== 'visible' || !document.hasFocus() || chat.unread === 0) return;
  const bottom = box.getBoundingClientRect().bottom;
  const rows = box.querySelectorAll<HTMLElement>('[data-seq]');
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const row = rows[at];
    if (row && row.getBoundingClientRect().bottom <= bottom + 8) {
      app.readUpTo(chat, Number(row.dataset.seq));
      return;
    }
  }
}

function Beginning({ chat }: { chat: Chat }) {
  return (
    <div class="beginning">
      <p>
        {chat.lastSeq.value === 0 ? 'Say hello to ' : chat.isGroup ? 'The beginning of ' : 'The beginning of your chat with '}
        <strong>{chat.name.value}</strong>
      </p>
    </div>
  );
}

function Typing({ chat }: { chat: Chat }) {
  return (
    <div class="message opens closes">
      <div class="bubble bubble-typing" role="status" aria-label={`${[...chat.typing.value].join(', ')} typing`}>
        <span />
        <span />
        <span />
      </div>
    </div>
  );
}

function Skeletons() {
  return (
    <div class="timeline-skeleton" role="status" aria-label="Loading messages">
      {[62, 38, 70, 30, 52, 44].map((width, at) => (
        <span key={at} class={`skeleton skeleton-bubble w-${width}${at % 3 === 1 ? ' is-own' : ''}`} />
      ))}
    </div>
  );
}
