import { locale, t } from '$lib/i18n/t';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const weekday = new Intl.DateTimeFormat(locale, { weekday: 'short' });
const dayMonth = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
const dayMonthYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const longDay = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });

/** Midnight before `at` in the reader's time zone, as milliseconds. */
function startOfDay(at: Date): number {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/** Whole days between two moments by the calendar, so that "yesterday" is what a person means by it. */
function daysBetween(earlier: Date, later: Date): number {
  return Math.round((startOfDay(later) - startOfDay(earlier)) / DAY);
}

/** "14:05". */
export function timeOfDay(iso: string): string {
  return clock.format(new Date(iso));
}

/** The short age in a list: "now", "5m", "3h" today, then "Mon" within a week, then a date. */
export function shortAge(iso: string, now: number): string {
  const at = new Date(iso);
  const today = new Date(now);
  const age = now - at.getTime();
  if (age < MINUTE) return t('time.now');
  if (age < HOUR) return t('time.minutes', { n: Math.floor(age / MINUTE) });
  const days = daysBetween(at, today);
  if (days === 0) return t('time.hours', { n: Math.floor(age / HOUR) });
  if (days < 7) return weekday.format(at);
  return at.getFullYear() === today.getFullYear() ? dayMonth.format(at) : dayMonthYear.format(at);
}

/** The age in a sentence: "just now", "5 minutes ago", "yesterday", "3 Mar 2026". */
export function longAge(iso: string, now: number): string {
  const at = new Date(iso);
  const age = now - at.getTime();
  if (age < MINUTE) return t('time.justNow');
  if (age < HOUR) return t('time.minutesAgo', { count: Math.floor(age / MINUTE) });
  const days = daysBetween(at, new Date(now));
  if (days === 0) return t('time.hoursAgo', { count: Math.floor(age / HOUR) });
  if (days === 1) return t('time.yesterday');
  if (days < 7) return t('time.daysAgo', { count: days });
  return dayMonthYear.format(at);
}

/** The label of a day separator: "Today", "Yesterday", "Tuesday, 3 March", with the year when it is another. */
export function dayLabel(iso: string, now: number): string {
  const at = new Date(iso);
  const today = new Date(now);
  const days = daysBetween(at, today);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterdayLabel');
  return at.getFullYear() === today.getFullYear() ? longDay.format(at) : dayMonthYear.format(at);
}

/** A key that is equal for two moments of one day in the reader's time zone. */
export function dayKey(iso: string): number {
  return startOfDay(new Date(iso));
}

/** Date and time in full, for titles and tables. */
export function fullTime(iso: string): string {
  return full.format(new Date(iso));
}

/** A calendar date: "3 Mar 2026". */
export function date(iso: string): string {
  return dayMonthYear.format(new Date(iso));
}
