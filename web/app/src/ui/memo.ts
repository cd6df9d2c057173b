/** Components that are drawn again only when what they show has changed. */

import { Component, createElement, type ComponentChild, type FunctionComponent } from 'preact';

/** `paths`: the properties that count, as `name` or `name.field`. */
export function memo<Props extends object>(render: FunctionComponent<Props>, paths: string[]): FunctionComponent<Props> {
  const read = (props: Props, path: string): unknown =>
    path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], props);
  class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      return paths.some((path) => read(this.props, path) !== read(next, path));
    }

    override render(): ComponentChild {
      return createElement(render, this.props);
    }
  }
  return Memo as unknown as FunctionComponent<Props>;
}
