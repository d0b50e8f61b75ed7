import { describe, expect, test } from 'vitest';
import { label, t } from '$lib/i18n/t';
import { tokenShape } from '$lib/bots/token';
import { internalTarget } from '$lib/router/router.svelte';
import { keysOf } from './commands.svelte';
import { linkify } from './linkify';
import { strength } from './password';
import { hue, initials } from './person';
import { dayLabel, longAge, shortAge } from './time';

describe('initials', () => {
  test.each([
    ['Amira Haddad', 'AH'],
    ['  tom  ', 'T'],
    ['Wilhelmina van der Bergh', 'WB'],
    ['Дмитрий Соколов', 'ДС'],
    ['e\u0301lise', 'E\u0301'],
    ['Zoë 🚲', 'Z🚲'],
    ['👩‍👩‍👧 Familie', '👩‍👩‍👧F'],
    ['...', '?'],
    ['', '?'],
  ])('of %j are %j', (name, expected) => expect(initials(name)).toBe(expected));
});

test('a colour belongs to an id and stays with it', () => {
  expect(hue('a')).toBe(hue('a'));
  const hues = new Set(Array.from({ length: 200 }, (_, i) => hue('contact-' + i)));
  expect(hues.size).toBe(15);
});

describe('times', () => {
  const now = new Date(2026, 10, 21, 14, 0, 0).getTime();
  const ago = (ms: number) => new Date(now - ms).toISOString();
  const minute = 60_000;
  const hour = 60 * minute;

  test.each([
    [20_000, 'now', 'just now'],
    [5 * minute, '5m', '5 minutes ago'],
    [minute, '1m', '1 minute ago'],
    [3 * hour, '3h', '3 hours ago'],
    [20 * hour, 'Fri', 'yesterday'],
    [3 * 24 * hour, 'Wed', '3 days ago'],
    [30 * 24 * hour, 'Oct 22', 'Oct 22, 2026'],
    [400 * 24 * hour, 'Oct 17, 2025', 'Oct 17, 2025'],
  ])('%i ms ago reads %j and %j', (ms, short, long) => {
    expect(shortAge(ago(ms), now)).toBe(short);
    expect(longAge(ago(ms), now)).toBe(long);
  });

  test('a clock that runs ahead of ours never shows a time in the future', () => {
    expect(shortAge(ago(-5 * minute), now)).toBe('now');
  });

  test('day labels follow the calendar, not the hours', () => {
    expect(dayLabel(ago(13 * hour), now)).toBe('Today');
    expect(dayLabel(ago(15 * hour), now)).toBe('Yesterday');
    expect(dayLabel(ago(72 * hour), now)).toBe('Wednesday, November 18');
  });
});

describe('texts', () => {
  test('fill in values and choose the plural', () => {
    expect(t('inbox.unread', { count: 1 })).toBe('1 unread message');
    expect(t('inbox.unread', { count: 1200 })).toBe('1,200 unread messages');
    expect(t('thread.via', { bot: 'support_bot' })).toBe('via @support_bot');
  });

  test('a name that runs from right to left is kept apart from the words around it', () => {
    expect(t('composer.replyPlaceholder', { name: 'نوا' })).toBe('Reply to \u2068نوا\u2069…');
  });

  test('a value that contains braces is left alone', () => {
    expect(t('thread.via', { bot: '{bot}' })).toBe('via @{bot}');
  });

  test('a name from a newer server is shown in plain words', () => {
    expect(label('role.', 'owner')).toBe('Owner');
    expect(label('role.', 'night_watch')).toBe('night watch');
  });
});

describe('links in messages', () => {
  test.each([
    ['see https://a.example/x.', ['see ', '<https://a.example/x>', '.']],
    ['(https://a.example/b)', ['(', '<https://a.example/b>', ')']],
    ['https://en.example/wiki/A_(b) ok', ['<https://en.example/wiki/A_(b)>', ' ok']],
    ['javascript:alert(1)', ['javascript:alert(1)']],
    ['no link', ['no link']],
    ['', []],
  ])('%j', (text, expected) => {
    expect(linkify(text).map((part) => (part.href ? `<${part.href}>` : part.text))).toEqual(expected);
  });

  test('the parts put together are the text', () => {
    const text = 'a https://x.example, https://y.example/?q=1&r=2! b\nhttp://z.example';
    expect(
      linkify(text)
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
  });
});

test.each([
  ['short', 0],
  ['aaaaaaaaaaaa', 1],
  ['ten-letters', 1],
  ['correct horse battery', 3],
  ['Tr0ub4dor&3-Elephant', 4],
])('the strength of %j is %i', (password, expected) => expect(strength(password)).toBe(expected));

test.each([
  ['', 'partial'],
  ['12345', 'partial'],
  ['1234567890:AAbb', 'partial'],
  ['1234567890:' + 'A'.repeat(35), 'whole'],
  ['@my_bot', 'wrong'],
  ['1234567890 AAbb', 'wrong'],
])('%j looks like a %s token', (text, expected) => expect(tokenShape(text)).toBe(expected));

describe('keys', () => {
  const press = (init: KeyboardEventInit) => keysOf(new KeyboardEvent('keydown', init));

  test('are named by letter, with the modifier in front', () => {
    expect(press({ key: 'e', code: 'KeyE' })).toBe('e');
    expect(press({ key: '?', code: 'Slash', shiftKey: true })).toBe('?');
    expect(press({ key: 'k', code: 'KeyK', metaKey: true })).toBe('mod k');
    expect(press({ key: 'K', code: 'KeyK', ctrlKey: true })).toBe('mod k');
    expect(press({ key: 'Escape', code: 'Escape' })).toBe('Escape');
    expect(press({ key: 'e', code: 'KeyE', altKey: true })).toBe('alt e');
  });

  test('count by their place on a layout without Latin letters', () => {
    expect(press({ key: 'у', code: 'KeyE' })).toBe('e');
    expect(press({ key: 'л', code: 'KeyK', ctrlKey: true })).toBe('mod k');
  });
});

describe('clicks on links', () => {
  const click = (html: string, init: MouseEventInit = {}) => {
    document.body.innerHTML = html;
    let target: string | null = 'no click';
    const listener = (event: MouseEvent) => {
      target = internalTarget(event);
      event.preventDefault();
    };
    document.addEventListener('click', listener, { once: true });
    document.body.firstElementChild?.dispatchEvent(
      new MouseEvent('click', { bubbles: true, cancelable: true, ...init }),
    );
    return target;
  };

  test('inside the app become navigations', () =>
    expect(click('<a href="/inbox/1?x=1">a</a>')).toBe('/inbox/1?x=1'));
  test('elsewhere are left to the browser', () => {
    expect(click('<a href="https://other.example/">a</a>')).toBe(null);
    expect(click('<a href="/inbox" target="_blank">a</a>')).toBe(null);
    expect(click('<a href="/api/v1/docs">a</a>')).toBe(null);
    expect(click('<a href="/inbox">a</a>', { ctrlKey: true })).toBe(null);
    expect(click('<button>a</button>')).toBe(null);
  });
});
