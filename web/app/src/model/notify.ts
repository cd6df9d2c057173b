/** Notifications of the system, for messages that nobody sees. */

export type Permission = 'unsupported' | NotificationPermission;

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}

/** Asks the person; only ever from a click. */
export async function askPermission(): Promise<Permission> {
  if (permission() === 'default') await Notification.requestPermission();
  return permission();
}

/** `tag`: a chat's later notification takes the place of its former one. */
export function notify(title: string, text: string, tag: string, clicked: () => void): void {
  if (permission() !== 'granted') return;
  const notification = new Notification(title, { body: text.slice(0, 300), tag });
  notification.onclick = () => {
    window.focus();
    clicked();
    notification.close();
  };
}
