/** The free part of an audit entry as name and value; nested values as JSON, empty ones left out. */
export function details(detail: unknown): [string, string][] {
  if (typeof detail !== 'object' || detail === null) return [];
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => [
      name.replaceAll('_', ' '),
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
}
