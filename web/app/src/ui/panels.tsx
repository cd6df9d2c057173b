/** Settings, devices, and what there is to know about a chat. */

import { useEffect, useState } from 'preact/hooks';
import type { Device, Settings as UserSettings } from '@iris/sdk';
import type { App } from '../model/app.js';
import { fullTime, shortTime } from '../model/format.js';
import { askPermission, permission } from '../model/notify.js';
import { forgetUser } from '../model/signin.js';
import { GroupInfo } from './group.js';
import { Icon } from './icons.js';
import { Avatar, IconButton, SidePanel, Switch } from './parts.js';
import { setTheme, theme, type Theme } from './theme.js';

export function Panels({ app }: { app: App }) {
  const close = () => (app.panel.value = 'none');
  switch (app.panel.value) {
    case 'settings':
      return <Settings app={app} close={close} />;
    case 'devices':
      return <Devices app={app} close={close} />;
    case 'info':
      return app.open.value ? <Info app={app} close={close} /> : null;
    default:
      return null;
  }
}

function Settings({ app, close }: { app: App; close: () => void }) {
  const [shown, setShown] = useState<Theme>(theme());
  const [privacy, setPrivacy] = useState<UserSettings>();
  const [allowed, setAllowed] = useState(permission());
  const preferences = app.preferences.value;
  useEffect(() => {
    void app.run(async () => setPrivacy(await app.iris.settings()));
  }, []);
  const change = (wanted: Partial<UserSettings>) => 
    void app.run(async () => {
      await app.iris.changeSettings(wanted);
      setPrivacy(await app.iris.settings());
    });
  const notifications = async (on: boolean) => {
    const answer = on ? await askPermission() : permission();
    setAllowed(answer);
    await app.prefer({ notifications: on && answer === 'granted' });
  };
  const blocked = allowed === 'denied' ? 'Your browser blocks them for this page.' : '';
  return (
    <SidePanel title="Settings" close={close}>
      <div class="person-card">
        <Avatar name={app.user} size="l" />
        <div>
          <strong>{app.user}</strong>
          <small>{app.session.device}</small>
        </div>
      </div>
      <section aria-label="Appearance">
        <h3>Appearance</h3>
        <div class="segments" role="radiogroup" aria-label="Theme">
          {(['system', 'light', 'dark'] as const).map((name) => (
            <label key={name} class="segment">
              <input
                type="radio"
                name="theme"
                checked={shown === name}
                onChange={() => {
                  setTheme(name);
                  setShown(name);
                }}
              />
              <span>{name === 'system' ? 'As system' : name === 'light' ? 'Light' : 'Dark'}</span>
            </label>
          ))}
        </div>
      </section>
      <section aria-label="Messages">
        <h3>Messages</h3>
        <Switch
          label="Notifications"
          hint={allowed === 'unsupported' ? 'Not supported by this browser.' : blocked || 'When this page is not in front.'}
          on={preferences.notifications && allowed === 'granted'}
          disabled={allowed === 'unsupported' || allowed === 'denied'}
          set={(on) => void notifications(on)}
        />
        <Switch
          label="Enter sends"
          hint={preferences.sendWithEnter ? 'Shift and Enter make a new line.' : 'Ctrl and Enter send.'}
          on={preferences.sendWithEnter}
          set={(on) => void app.prefer({ sendWithEnter: on })}
        />
      </section>
      {privacy && (
        <section aria-label="Privacy">
          <h3>Privacy</h3>
          <Switch
            label="Read receipts"
            hint="Off: you neither give nor see them."
            on={privacy.readReceipts}
            set={(on) => change({ readReceipts: on })}
          />
          <Switch label="Typing" hint="Off: you neither show nor see it." on={privacy.typing} set={(on) => change({ typing: on })} />
          <label class="setting">
            <span class="setting-text">
              <span>Last seen</span>
              <small>Who sees when you were here; you see theirs alike.</small>
            </span>
            <select
              class="field field-small"
              value={privacy.lastSeen}
              onChange={(event) => change({ lastSeen: event.currentTarget.value as UserSettings['lastSeen'] })}
            >
              <option value="everybody">Everybody</option>
              <option value="contacts">Contacts</option>
              <option value="nobody">Nobody</option>
            </select>
          </label>
        </section>
      )}
      <button type="button" class="row-button" onClick={() => (app.panel.value = 'devices')}>
        <Icon name="devices" /> Devices
      </button>
      <button
        type="button"
        class="row-button is-danger"
        onClick={() =>
          void app.profile.signOut(app.user).then(() => {
            forgetUser();
            location.reload();
          })
        }
      >
        <Icon name="leave" /> Sign out of this browser
      </button>
    </SidePanel>
  );
}

function Devices({ app, close }: { app: App; close: () => void }) {
  const [devices, setDevices] = useState<Device[]>();
  const load = () => app.run(async () => setDevices(await app.iris.devices.list()));
  useEffect(() => void load(), [app.state.value.status]);
  return (
    <SidePanel title="Devices" close={close}>
      <p class="hint">Everything that is signed in as {app.user}. Revoke what you no longer use; that is for ever.</p>
      {!devices && <span class="skeleton skeleton-block" role="status" aria-label="Loading devices" />}
      <ul class="device-list">
        {devices?.map((device) => (
          <DeviceLine key={device.device} app={app} device={device} changed={() => void load()} />
        ))}
      </ul>
    </SidePanel>
  );
}

function DeviceLine({ app, device, changed }: { app: App; device: Device; changed: () => void }) {
  const [label, setLabel] = useState<string>();
  const [isSure, setSure] = useState(false);
  const own = device.device === app.session.device;
  const rename = async () => {
    const wanted = (label ?? '').trim();
    setLabel(undefined);
    if (wanted === '' || wanted === device.label) return;
    await app.run(() => app.iris.devices.rename(device.device, wanted), 'Renamed');
    changed();
  };
  const revoke = async () => {
    await app.run(() => app.iris.devices.revoke(device.device), 'Revoked');
    changed();
  };
  return (
    <li class="device">
      <Icon name="devices" />
      <div class="device-text">
        {label === undefined ? (
          <button type="button" class="device-name" title="Rename" onClick={() => setLabel(device.label ?? '')}>
            {device.label ?? device.device}
          </button>
        ) : (
          <input
            class="field field-small"
            autofocus
            aria-label="Name of the device"
            maxLength={64}
            value={label}
            onInput={(event) => setLabel(event.currentTarget.value)}
            onBlur={() => void rename()}
            onKeyDown={(event) => {
              if (event.key === 'Enter') event.currentTarget.blur();
            }}
          />
        )}
        <small title={`First seen ${fullTime(device.registeredAt)}`}>
          {own && <em>This browser. </em>}
          {device.online ? <span class="is-online">Connected</span> : `Last here ${shortTime(device.lastLogin)}`}
        </small>
      </div>
      {isSure ? (
        <button type="button" class="button button-danger" onBlur={() => setSure(false)} onClick={() => void revoke()}>
          Revoke for ever
        </button>
      ) : (
        <IconButton icon="trash" label={`Revoke ${device.label ?? device.device}`} onClick={() => setSure(true)} />
      )}
    </li>
  );
}

function Info({ app, close }: { app: App; close: () => void }) {
  const chat = app.open.value;
  if (!chat) return null;
  const flag = (flags: { mute?: boolean; pin?: boolean; archive?: boolean }) =>
    void app.run(async () => {
      await app.iris.flag(chat.target, flags);
      chat.muted.value = flags.mute ?? chat.muted.value;
      chat.pinned.value = flags.pin ?? chat.pinned.value;
      chat.archived.value = flags.archive ?? chat.archived.value;
    });
  const block = (on: boolean) =>
    void app.run(async () => {
      await (on ? app.iris.block(chat.user ?? '') : app.iris.unblock(chat.user ?? ''));
      chat.blocked.value = on;
    });
  return (
    <SidePanel title={chat.isGroup ? 'Group' : 'Contact'} close={close}>
      <div class="person-big">
        <Avatar name={chat.name.value} size="xl" group={chat.isGroup} online={chat.online.value} />
        <h3>{chat.name.value}</h3>
        <small>{chat.lastSeq.value === 1 ? '1 message' : `${chat.lastSeq.value.toLocaleString()} messages`}</small>
      </div>
      {chat.conversation !== undefined && (
        <section aria-label="This chat">
          <Switch label="Mute" on={chat.muted.value} set={(on) => flag({ mute: on })} />
          <Switch label="Pin to the top" on={chat.pinned.value} set={(on) => flag({ pin: on })} />
          <Switch label="Archive" on={chat.archived.value} set={(on) => flag({ archive: on })} />
        </section>
      )}
      {chat.isGroup && <GroupInfo app={app} chat={chat} />}
      {!chat.isGroup && chat.user !== app.user && (
        <button type="button" class="row-button is-danger" onClick={() => block(!chat.blocked.value)}>
          <Icon name="block" /> {chat.blocked.value ? 'Unblock' : 'Block'} {chat.name.value}
        </button>
      )}
    </SidePanel>
  );
}
