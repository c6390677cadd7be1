/**
 * Finds the URL in the line `{"event":"listening","url":"…"}` by which our processes tell that they are ready; null
 * while it has not come.
 */
export function findReadyUrl(log: string): string | null {
  for (const line of log.split('\n')) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    const told = parseObject(line);
    if (told?.['event'] === 'listening' && typeof told['url'] === 'string') return told['url'];
  }
  return null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
