export interface Entry {
  id: string;
  title: string;
  /** Searched and shown beside the title, such as a user name. */
  extra: string;
  group: string;
  keys?: string;
  /** Whose avatar stands before the title. */
  avatar?: string;
  /** Sorts equals: the greater text first. */
  recent?: string;
  run: () => void;
}

export interface Group {
  name: string;
  entries: Entry[];
}

/** Entries per group; more than one can take in at a glance are no help. */
const PER_GROUP = 8;

/** Lower case, without accents: "noel" finds "Noël". */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

/** How well an entry answers: 0 not at all, then anywhere, start of a word, start of the title. */
function score(entry: Entry, query: string): number {
  const title = fold(entry.title);
  if (title.startsWith(query)) return 3;
  if (title.includes(' ' + query)) return 2;
  return title.includes(query) || fold(entry.extra).includes(query) ? 1 : 0;
}

/** The entries that match, grouped, best first. Without a query everything matches, the most recent first. */
export function search(entries: readonly Entry[], query: string): Group[] {
  const wanted = fold(query.trim());
  const found = entries
    .map((entry) => ({ entry, score: wanted ? score(entry, wanted) : 1 }))
    .filter((one) => one.score > 0)
    .sort((a, b) => b.score - a.score || (b.entry.recent ?? '').localeCompare(a.entry.recent ?? ''));
  const groups = new Map<string, Entry[]>();
  for (const { entry } of found) {
    const group = groups.get(entry.group) ?? [];
    if (group.length < PER_GROUP) group.push(entry);
    groups.set(entry.group, group);
  }
  return [...groups].map(([name, list]) => ({ name, entries: list }));
}
