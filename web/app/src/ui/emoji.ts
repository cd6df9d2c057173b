/** The emoji that people use most, by kind, with words to find them by. */

export const EMOJI: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    'Smileys',
    [
      ['😀', 'grin happy'], ['😁', 'beam grin'], ['😂', 'laugh tears joy'], ['🤣', 'rofl laugh'], ['😊', 'smile blush'],
      ['🙂', 'smile'], ['🙃', 'upside down'], ['😉', 'wink'], ['😍', 'love eyes'], ['🥰', 'love hearts'],
      ['😘', 'kiss'], ['😋', 'yummy'], ['😎', 'cool sunglasses'], ['🤩', 'star eyes'], ['🥳', 'party'],
      ['🤔', 'think'], ['🤗', 'hug'], ['😏', 'smirk'], ['😐', 'neutral'], ['🙄', 'roll eyes'],
      ['😬', 'grimace'], ['😴', 'sleep'], ['😌', 'relieved'], ['😅', 'sweat laugh'], ['😢', 'cry sad'],
      ['😭', 'sob cry'], ['😤', 'huff'], ['😡', 'angry'], ['🤯', 'mind blown'], ['😱', 'scream'],
      ['😳', 'flushed'], ['🥺', 'please'], ['🤒', 'ill'], ['🤦', 'facepalm'], ['🤷', 'shrug'], ['🫠', 'melt'],
    ],
  ],
  [
    'Gestures',
    [
      ['👍', 'thumbs up yes'], ['👎', 'thumbs down no'], ['👌', 'ok'], ['🙏', 'thanks please pray'], ['👏', 'clap'],
      ['🙌', 'hooray hands'], ['👋', 'wave hello bye'], ['🤝', 'handshake deal'], ['✌️', 'peace'], ['🤞', 'fingers crossed'],
      ['💪', 'strong muscle'], ['👀', 'eyes look'], ['🫶', 'heart hands'], ['👉', 'point right'], ['☝️', 'point up'], ['✍️', 'write'],
    ],
  ],
  [
    'Hearts and signs',
    [
      ['❤️', 'heart love red'], ['🧡', 'heart orange'], ['💛', 'heart yellow'], ['💚', 'heart green'], ['💙', 'heart blue'],
      ['💜', 'heart purple'], ['🖤', 'heart black'], ['💔', 'broken heart'], ['🔥', 'fire'], ['✨', 'sparkles'],
      ['⭐', 'star'], ['💯', 'hundred'], ['✅', 'check done yes'], ['❌', 'cross no'], ['❓', 'question'], ['❗', 'exclamation'],
      ['⚠️', 'warning'], ['💡', 'idea bulb'], ['🎉', 'party tada'], ['🎂', 'cake birthday'], ['🎁', 'gift'], ['🏆', 'trophy'],
    ],
  ],
  [
    'Things',
    [
      ['☕', 'coffee'], ['🍕', 'pizza'], ['🍺', 'beer'], ['🍷', 'wine'], ['🍎', 'apple'], ['🥐', 'croissant'],
      ['🌱', 'plant'], ['🌸', 'blossom'], ['🌈', 'rainbow'], ['☀️', 'sun'], ['🌧️', 'rain'], ['❄️', 'snow'],
      ['🐱', 'cat'], ['🐶', 'dog'], ['🦊', 'fox'], ['🐢', 'turtle'], ['🚀', 'rocket ship'], ['🚲', 'bike'],
      ['🚆', 'train'], ['✈️', 'plane'], ['🏠', 'home'], ['💻', 'computer'], ['📱', 'phone'], ['📎', 'clip'],
      ['📅', 'calendar'], ['⏰', 'clock alarm'], ['🔒', 'lock'], ['🔑', 'key'], ['🎵', 'music'], ['⚽', 'football'],
    ],
  ],
];
