import type { TaskScope } from '../api/search-api.ts';

/** Where the gateway gives all that is looked for as a file; relative to the page's base. */
export function exportHref(ending: 'csv' | 'ndjson', { filter: { cluster, query }, span }: TaskScope): string {
  const texts = Object.entries({ query, cluster }).filter(([, value]) => value !== '');
  const times = Object.entries(typeof span === 'object' ? span : { range: span });
  return `export/tasks.${ending}?${new URLSearchParams([...texts, ...times].map(([name, value]) => [name, String(value)]))}`;
}
