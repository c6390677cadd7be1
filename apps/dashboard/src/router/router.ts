import { createSubscriber } from 'svelte/reactivity';
import { formatPath, parsePath, type Route } from './route.ts';

/** The part of `window` that the router needs. */
export interface Page {
  readonly location: { readonly href: string };
  readonly history: Pick<History, 'pushState' | 'replaceState'>;
  addEventListener(type: 'popstate', listener: () => void): void;
  removeEventListener(type: 'popstate', listener: () => void): void;
}

/** Where the page is. Paths are relative to `base`, the document's `<base href>`, so that any URL prefix works. */
export class Router {
  readonly #page: Page;
  readonly #base: URL;
  readonly #listeners = new Set<() => void>();
  readonly #subscribe: () => void;
  #read: { readonly href: string; readonly route: Route; readonly query: URLSearchParams };

  constructor(page: Page, base: string) {
    this.#page = page;
    this.#base = new URL('./', base);
    this.#read = this.#parse();
    this.#subscribe = createSubscriber((update) => {
      const changed = () => {
        this.#read = this.#parse();
        update();
      };
      this.#listeners.add(changed);
      page.addEventListener('popstate', changed);
      return () => {
        this.#listeners.delete(changed);
        page.removeEventListener('popstate', changed);
      };
    });
  }

  get route(): Route {
    this.#subscribe();
    return this.#current().route;
  }

  /** A copy: change it and give it to `setQuery` or `href`. */
  get query(): URLSearchParams {
    this.#subscribe();
    return new URLSearchParams(this.#current().query);
  }

  /** Address of a page; empty values of the query are left out. */
  href(route: Route, query: Iterable<readonly [string, string]> = []): string {
    const url = new URL(this.#base);
    url.pathname += formatPath(route);
    for (const [name, value] of query) if (value !== '') url.searchParams.append(name, value);
    return url.pathname + url.search;
  }

  /** Goes to an address of ours. @param how `replace` leaves no step in the history, e.g. while a filter is typed */
  go(href: string, how: 'push' | 'replace' = 'push'): void {
    const url = new URL(href, this.#base);
    if (how === 'push') this.#page.history.pushState(null, '', url);
    else this.#page.history.replaceState(null, '', url);
    for (const listener of this.#listeners) listener();
  }

  setQuery(query: URLSearchParams, how: 'push' | 'replace' = 'replace'): void {
    this.go(this.href(this.#current().route, query), how);
  }

  /** Whether a link leads to one of our pages. */
  owns(url: URL): boolean {
    return url.origin === this.#base.origin && url.pathname.startsWith(this.#base.pathname);
  }

  #current() {
    if (this.#read.href !== this.#page.location.href) this.#read = this.#parse();
    return this.#read;
  }

  #parse() {
    const href = this.#page.location.href;
    const url = new URL(href);
    const path = url.pathname.startsWith(this.#base.pathname)
      ? url.pathname.slice(this.#base.pathname.length)
      : url.pathname;
    return { href, route: parsePath(path), query: url.searchParams };
  }
}

/**
 * Makes plain links to our pages change the page without a load. Modified clicks, downloads and foreign links are left
 * to the browser.
 */
export function followLinks(router: Router, root: HTMLElement): () => void {
  const onclick = (event: MouseEvent) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download')) return;
    const url = new URL(link.href);
    if (!router.owns(url) || url.hash !== '') return;
    event.preventDefault();
    router.go(url.href);
    window.scrollTo(0, 0);
  };
  root.addEventListener('click', onclick);
  return () => {
    root.removeEventListener('click', onclick);
  };
}
