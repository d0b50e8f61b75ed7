import { SvelteURL } from 'svelte/reactivity';

/** The address bar as state. Reading `router.path` in markup or an effect follows every navigation. */
class Router {
  #url = new SvelteURL(location.href);

  get path(): string {
    return this.#url.pathname;
  }

  get search(): URLSearchParams {
    return this.#url.searchParams;
  }

  /** The part after `#`, without it. One-time codes travel here because a fragment reaches no server. */
  get fragment(): string {
    return decodeURIComponent(this.#url.hash.slice(1));
  }

  go(to: string, options: { replace?: boolean } = {}): void {
    if (options.replace) history.replaceState(null, '', to);
    else history.pushState(null, '', to);
    this.#url.href = location.href;
  }

  /** The segments after a prefix, or null when the path lies elsewhere: `under('/inbox')` of `/inbox/1` is `['1']`. */
  under(prefix: string): string[] | null {
    if (this.path !== prefix && !this.path.startsWith(prefix + '/')) return null;
    return this.path.slice(prefix.length).split('/').filter(Boolean).map(decodeURIComponent);
  }

  /** Follows the back button and turns plain clicks on our own links into navigations. */
  listen(): () => void {
    const onPop = () => (this.#url.href = location.href);
    const onClick = (event: MouseEvent) => {
      const to = internalTarget(event);
      if (to === null) return;
      event.preventDefault();
      if (to !== this.path + this.#url.search + this.#url.hash) this.go(to);
    };
    addEventListener('popstate', onPop);
    addEventListener('hashchange', onPop);
    document.addEventListener('click', onClick);
    return () => {
      removeEventListener('popstate', onPop);
      removeEventListener('hashchange', onPop);
      document.removeEventListener('click', onClick);
    };
  }
}

/** Where a click on a link of this app leads, or null when the browser should do what it always does. */
export function internalTarget(event: MouseEvent): string | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
  if (!(link instanceof HTMLAnchorElement)) return null;
  if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return null;
  if (link.pathname.startsWith('/api/')) return null;
  return link.pathname + link.search + link.hash;
}

export const router = new Router();
