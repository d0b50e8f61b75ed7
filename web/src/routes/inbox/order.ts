/** The ids to show and how many conversations wait above because the list must not move under the pointer. */
export interface Shown {
  ids: readonly string[];
  news: number;
}

/**
 * While `held`, rows keep their places: what left the list disappears, older pages are appended, and whatever is new
 * or has moved up is only counted. Otherwise the live order is shown as it is.
 */
export function holdOrder(previous: readonly string[], live: readonly string[], held: boolean): Shown {
  if (!held || previous.length === 0) return { ids: live, news: 0 };
  const alive = new Set(live);
  const kept = previous.filter((id) => alive.has(id));
  const keptSet = new Set(kept);

  // New activity only ever moves a conversation to the top: skip leading rows until the rest agrees with what is shown.
  const moved = new Set<string>();
  let next = 0;
  for (const id of live) {
    while (next < kept.length && moved.has(kept[next] as string)) next++;
    if (next < kept.length && kept[next] !== id) moved.add(id);
    else next++;
  }
  const older = live.filter((id) => !keptSet.has(id) && !moved.has(id));
  return { ids: [...kept, ...older], news: moved.size };
}
