/** Resolves colours of the design to what a canvas takes: `light-dark()` and `var()` mean nothing to it. */
export function resolveColours(host: HTMLElement, names: readonly string[]): string[] {
  const probe = document.createElement('i');
  host.append(probe);
  const colours = names.map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colours;
}
