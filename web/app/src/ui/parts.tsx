/** Small parts that many components use. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { colourOf, initials } from '../model/format.js';
import { Icon } from './icons.js';

export function Avatar(props: { name: string; size?: 's' | 'm' | 'l' | 'xl'; group?: boolean; online?: boolean }) {
  const { name, size = 'm', group = false, online = false } = props;
  return (
    <span class={`avatar avatar-${size} colour-${colourOf(name)}${group ? ' avatar-group' : ''}`} aria-hidden="true">
      {initials(name)}
      {online && <span class="avatar-online" />}
    </span>
  );
}

interface ButtonProps {
  icon: string;
  label: string;
  onClick: (event: MouseEvent) => void;
  class?: string;
  pressed?: boolean;
  disabled?: boolean;
}

export function IconButton({ icon, label, onClick, class: name = '', pressed, disabled = false }: ButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${name}`}
      title={label}
      aria-label={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A dialog of the browser: it keeps the focus, closes with Escape and gives the focus back. */
export function Dialog(props: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-label={props.title}
      onClose={props.close}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2>{props.title}</h2>
          <IconButton icon="close" label="Close" onClick={() => dialog.current?.close()} />
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** A panel at the side, or over everything on a phone. */
export function SidePanel(props: { title: string; close: () => void; children: ComponentChildren }) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus(), []);
  return (
    <aside
      ref={panel}
      class="panel"
      tabIndex={-1}
      aria-label={props.title}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        props.close();
      }}
    >
      <header class="bar">
        <IconButton icon="close" label="Close" onClick={props.close} />
        <h2>{props.title}</h2>
      </header>
      <div class="panel-body">{props.children}</div>
    </aside>
  );
}

export function Switch(props: { label: string; hint?: string; on: boolean; set: (on: boolean) => void; disabled?: boolean }) {
  return (
    <label class="setting">
      <span class="setting-text">
        <span>{props.label}</span>
        {props.hint && <small>{props.hint}</small>}
      </span>
      <input
        type="checkbox"
        role="switch"
        class="switch"
        checked={props.on}
        disabled={props.disabled ?? false}
        onChange={(event) => props.set(event.currentTarget.checked)}
      />
    </label>
  );
}
