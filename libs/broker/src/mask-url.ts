/**
 * Hides the passwords of a broker URL or a `;`-list of them. Works on any text, also on URLs that are none: rather hides
 * too much than too little, so a password with an unescaped `/`, `@` or `;` is hidden as well.
 */
export function maskUrl(url: string): string {
  return url
    .split(/;(?=[\w+.-]+:\/\/)/)
    .map(maskOne)
    .join(';');
}

function maskOne(url: string): string {
  const scheme = /^[\w+.-]+:\/\//.exec(url)?.[0] ?? '';
  const rest = url.slice(scheme.length).replace(/^([^:]*):.*@/s, '$1:**@');
  return scheme + rest.replace(/([?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)[^&]*/gi, '$1**');
}
