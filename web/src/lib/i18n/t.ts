import { en } from './en';

/** A text that changes with `count`; the forms are those of `Intl.PluralRules` (Russian adds few and many). */
export type Plural = { one: string; other: string; few?: string; many?: string };

export type Key = keyof typeof en;
type Text<K extends Key> = (typeof en)[K] extends { other: infer O } ? O : (typeof en)[K];
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Params<K extends Key> = Names<Text<K>> | ((typeof en)[K] extends { other: string } ? 'count' : never);
type Args<K extends Key> = [Params<K>] extends [never] ? [] : [Record<Params<K>, string | number>];

/** The language of texts, dates and numbers. A second language adds a file beside `en.ts` and a choice here. */
export const locale = 'en';

const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** The text for a key. Placeholders are checked by the compiler; numbers are written the locale's way. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  const entry: string | Plural = en[key];
  const values = args[0] as Record<string, string | number> | undefined;
  const text = typeof entry === 'string' ? entry : pick(entry, Number(values?.count ?? 0));
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? numbers.format(value) : isolate(value);
  });
}

/** Keeps a name that runs from right to left from turning the words and marks around it. */
function isolate(value: string): string {
  return /\p{Script=Arabic}|\p{Script=Hebrew}|\p{Script=Syriac}|\p{Script=Thaana}|\p{Script=Nko}/u.test(value)
    ? `\u2068${value}\u2069`
    : value;
}

function pick(forms: Plural, count: number): string {
  const form = plurals.select(count) as keyof Plural;
  return forms[form] ?? forms.other;
}

/** The text for a key that is put together at run time, such as `role.` plus the role; the key itself when unknown. */
export function label(prefix: string, name: string): string {
  const entry = (en as Record<string, string | Plural>)[prefix + name];
  return typeof entry === 'string' ? entry : name.replace(/[._]/g, ' ');
}
