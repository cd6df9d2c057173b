/** Where one writes: grows with the text, keeps a draft per chat, offers emoji. */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../model/app.js';
import type { Chat } from '../model/chat.js';
import { EMOJI } from './emoji.js';
import { Icon } from './icons.js';

/** Bytes of a message, as the protocol says. */
const BODY_BYTES_MAX = 32_768;
/** Milliseconds until one who types no more is told to have stopped. */
const TYPING_MS = 4_000;
const LINE_HEIGHT_MAX = 168;

const encoder = new TextEncoder();

export function Composer({ app, chat }: { app: App; chat: Chat }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [showsEmoji, setShowsEmoji] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const text = chat.draft.value;
  const bytes = text.length > BODY_BYTES_MAX / 4 ? encoder.encode(text).length : 0;
  const isTooLong = bytes > BODY_BYTES_MAX;
  const isEmpty = text.trim() === '';

  useEffect(() => {
    // On a phone the keyboard would cover what one came to read.
    if (matchMedia('(hover: hover)').matches) field.current?.focus();
  }, [chat.key]);

  useLayoutEffect(() => {
    const box = field.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, LINE_HEIGHT_MAX)}px`;
  }, [text, chat.key]);

  const saysTyping = (on: boolean) => {
    clearTimeout(timer.current);
    if (on) timer.current = setTimeout(() => saysTyping(false), TYPING_MS);
    // Lost without harm: it is of the moment. The client's rules say how often it goes out.
    app.iris.typing(chat.target, on).catch(() => undefined);
  };

  const send = () => {
    if (isEmpty || isTooLong) return;
    app.setDraft(chat, '');
    saysTyping(false);
    setShowsEmoji(false);
    void app.send(chat, text.trim());
    field.current?.focus();
  };

  const insert = (emoji: string) => {
    const box = field.current;
    const [start, end] = [box?.selectionStart ?? text.length, box?.selectionEnd ?? text.length];
    app.setDraft(chat, text.slice(0, start) + emoji + text.slice(end));
    requestAnimationFrame(() => {
      box?.focus();
      box?.setSelectionRange(start + emoji.length, start + emoji.length);
    });
  };

  const keyDown = (event: KeyboardEvent) => {
    const sends = app.preferences.value.sendWithEnter ? !event.shiftKey : event.ctrlKey || event.metaKey;
    // While an input method composes, Enter is its own.
    if (event.key === 'Enter' && sends && !event.isComposing) {
      event.preventDefault();
      send();
    }
    if (event.key === 'Escape' && showsEmoji) {
      event.stopPropagation();
      setShowsEmoji(false);
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onKeyDown={keyDown}
    >
      {showsEmoji && <EmojiPicker pick={insert} close={() => setShowsEmoji(false)} />}
      <div class="composer-box">
        <button
          type="button"
          class="icon-button"
          aria-label="Emoji"
          title="Emoji"
          aria-expanded={showsEmoji}
          onClick={() => setShowsEmoji(!showsEmoji)}
        >
          <Icon name="smile" />
        </button>
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          placeholder="Message"
          aria-label={`Message to ${chat.name.value}`}
          value={text}
          onInput={(event) => {
            app.setDraft(chat, event.currentTarget.value);
            saysTyping(event.currentTarget.value !== '');
          }}
        />
        {bytes > 0 && (
          <span class={`composer-count${isTooLong ? ' is-over' : ''}`}>{(BODY_BYTES_MAX - bytes).toLocaleString()}</span>
        )}
        <button type="submit" class="send" aria-label="Send" title="Send" disabled={isEmpty || isTooLong}>
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}

function EmojiPicker({ pick, close }: { pick: (emoji: string) => void; close: () => void }) {
  const [wanted, setWanted] = useState('');
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const outside = (event: PointerEvent) => {
      if (!(event.target as Element).closest('.composer')) close();
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, []);
  const words = wanted.trim().toLowerCase();
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    if (step === undefined || event.target instanceof HTMLInputElement) return;
    const all = [...(box.current?.querySelectorAll<HTMLElement>('.emoji') ?? [])];
    all[all.indexOf(document.activeElement as HTMLElement) + step]?.focus();
    event.preventDefault();
  };
  return (
    <div class="emoji-picker" role="dialog" aria-label="Emoji" ref={box} onKeyDown={move}>
      <input
        type="search"
        placeholder="Search emoji"
        aria-label="Search emoji"
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      <div class="emoji-scroll">
        {EMOJI.map(([kind, emoji]) => {
          const shown = emoji.filter(([, names]) => names.includes(words));
          return shown.length === 0 ? null : (
            <section key={kind} aria-label={kind}>
              <h3>{kind}</h3>
              <div class="emoji-grid">
                {shown.map(([character, names]) => (
                  <button key={character} type="button" class="emoji" aria-label={names} title={names} onClick={() => pick(character)}>
                    {character}
                  </button>
                ))}
              </div>
            </section>
          );
        })}
      </div>
    </div>
  );
}
