/**
 * Resolves colours of the design to what a canvas takes: `light-dark()` and `var()` mean nothing to it.
 * @param strength below 1 the ground shows through
 */
export function resolveColours(host: HTMLElement, names: readonly string[], strength = 1): string[] {
  const probe = document.createElement('i');
  host.append(probe);
  const colours = names.map((name) => {
    probe.style.color =
      strength === 1 ? `var(${name})` : `color-mix(in srgb, var(${name}) ${strength * 100}%, transparent)`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colours;
}
