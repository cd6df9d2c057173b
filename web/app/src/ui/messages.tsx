/** Messages, lines between them, and those that wait to be sent. */

import type { Entry, Outgoing } from '@iris/sdk';
import { memo } from './memo.js';
import type { App } from '../model/app.js';
import { sentence } from '../model/app.js';
import { changeText } from '../model/change.js';
import type { Chat } from '../model/chat.js';
import { colourOf, dayName, dayOf, fullTime, timeOfDay } from '../model/format.js';
import { Icon, Ticks } from './icons.js';
import { tickOf } from './sidebar.js';

/** Messages of one person within this time stand together. */
const GROUP_MS = 5 * 60_000;

export interface Place {
  /** Begins and ends a run of messages of one person. */
  opens: boolean;
  closes: boolean;
  day: boolean;
  unread: boolean;
}

export function placeOf(entries: readonly Entry[], at: number, unreadFrom: number): Place {
  const [before, entry, after] = [entries[at - 1], entries[at], entries[at + 1]];
  if (!entry) return { opens: true, closes: true, day: false, unread: false };
  const day = !before || dayOf(before.sentAt) !== dayOf(entry.sentAt);
  const unread = entry.seq === unreadFrom;
  return {
    day,
    unread,
    opens: day || unread || !isRun(before, entry),
    closes: !after || !isRun(entry, after) || after.seq === unreadFrom,
  };
}

function isRun(one: Entry | undefined, other: Entry): boolean {
  if (one?.body.change || other.body.change) return false;
  return one?.from === other.from && other.sentAt - one.sentAt < GROUP_MS && dayOf(one.sentAt) === dayOf(other.sentAt);
}

interface Props {
  entry: Entry;
  place: Place;
  own: boolean;
  tick: 'sent' | 'delivered' | 'read' | undefined;
  showsName: boolean;
  found: boolean;
  me: string;
}

export const Row = memo(function Row({ entry, place, own, tick, showsName, found, me }: Props) {
  return (
    <>
      {place.day && (
        <div class="day" role="separator">
          <span>{dayName(entry.sentAt)}</span>
        </div>
      )}
      {place.unread && (
        <div class="unread-line" role="separator">
          <span>New messages</span>
        </div>
      )}
      {entry.body.change ? (
        <div class="change" data-seq={entry.seq}>
          <span title={fullTime(entry.sentAt)}>{changeText(entry.body.change, entry.from, me)}</span>
        </div>
      ) : (
        <div
          class={`message${own ? ' is-own' : ''}${place.opens ? ' opens' : ''}${place.closes ? ' closes' : ''}${found ? ' is-found' : ''}`}
          data-seq={entry.seq}
        >
          <div class="bubble">
            {showsName && place.opens && <span class={`bubble-name ink-${colourOf(entry.from)}`}>{entry.from}</span>}
            <Content text={entry.body.text} kind={entry.body.kind} />
            <span class="bubble-meta">
              <time title={fullTime(entry.sentAt)}>{timeOfDay(entry.sentAt)}</time>
              {tick && <Ticks state={tick} />}
            </span>
          </div>
        </div>
      )}
    </>
  );
}, ['entry', 'own', 'tick', 'showsName', 'found', 'place.opens', 'place.closes', 'place.day', 'place.unread']);

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F|\u200D\p{Extended_Pictographic})*){1,3}$/u;
const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,:;!?)\]]/g;

/** Text is text: links are made of what it says, nothing is read as HTML. */
function Content({ text, kind }: { text: string | undefined; kind: number }) {
  if (text === undefined) return <span class="bubble-other">Message of kind {kind}; this client cannot show it.</span>;
  if (EMOJI_ONLY.test(text)) return <span class="bubble-emoji">{text}</span>;
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(end, match.index));
    parts.push(
      <a href={match[0]} target="_blank" rel="noopener noreferrer">
        {match[0]}
      </a>,
    );
    end = match.index + match[0].length;
  }
  return (
    <span class="bubble-text" dir="auto">
      {parts}
      {text.slice(end)}
    </span>
  );
}

/** A message that is not at the server yet, or was refused. */
export function Waiting({ app, outgoing, opens }: { app: App; outgoing: Outgoing; opens: boolean }) {
  const { number, body, failed } = outgoing;
  return (
    <div class={`message is-own is-waiting closes${opens ? ' opens' : ''}${failed ? ' is-failed' : ''}`}>
      <div class="bubble">
        <Content text={body.text} kind={body.kind} />
        <span class="bubble-meta">
          <Ticks state={failed ? 'failed' : 'waiting'} />
        </span>
      </div>
      {failed && (
        <div class="failure" role="alert">
          <span>{sentence(failed.name === 'not_accepted' ? 'not sent: they do not take messages' : `not sent: ${failed.name.replaceAll('_', ' ')}`)}</span>
          <button type="button" class="link" onClick={() => void app.resend(number)}>
            <Icon name="retry" size={14} /> Send again
          </button>
          <button type="button" class="link" onClick={() => void app.discard(number)}>
            <Icon name="trash" size={14} /> Delete
          </button>
        </div>
      )}
    </div>
  );
}

export function tick(app: App, chat: Chat, entry: Entry): Props['tick'] {
  return entry.from === app.user ? tickOf(chat, entry.seq) : undefined;
}
