/**
 * Hides the passwords of a broker URL or a `;`-list of them. Works on any text, also on URLs that are none: rather hides
 * too much than too little, so a password with an unescaped `/`, `@` or `;` is hidden as well.
 */
export function maskUrl(url: string): string {
  return url
    .split(/;(?=[\w+.-]+:\/\/)/)
    .map((one) =>
      one
        .replace(/^([\w+.-]+:\/\/)?([^:@/]*):.*@/s, (_all, scheme: string | undefined, user: string) => {
          return `${scheme ?? ''}${user}:**@`;
        })
        .replace(/([?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)[^&]*/gi, '$1**'),
    )
    .join(';');
}
