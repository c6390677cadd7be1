/** The pages and what their paths say; what may be shared but left out (filters, range) is in the query. */
export type Route =
  | { readonly page: 'overview'; readonly cluster: string | null }
  | { readonly page: 'doctor'; readonly cluster: string }
  | { readonly page: 'broker'; readonly cluster: string }
  | { readonly page: 'tasks' }
  | { readonly page: 'task'; readonly cluster: string; readonly taskId: string }
  | { readonly page: 'workflows' }
  | { readonly page: 'workflow'; readonly cluster: string; readonly rootId: string }
  | { readonly page: 'types' }
  | { readonly page: 'type'; readonly cluster: string; readonly name: string }
  | { readonly page: 'run' }
  | { readonly page: 'trends' }
  | { readonly page: 'errors' }
  | { readonly page: 'error'; readonly cluster: string; readonly fingerprint: string }
  | { readonly page: 'queues' }
  | { readonly page: 'queue'; readonly cluster: string; readonly queue: string }
  | { readonly page: 'workers' }
  | { readonly page: 'worker'; readonly cluster: string; readonly worker: string }
  | { readonly page: 'sql' }
  | { readonly page: 'audit' }
  | { readonly page: 'system' }
  | { readonly page: 'missing'; readonly path: string };

/** Reads a path relative to the base (no leading slash needed). Never throws: what is not known is `missing`. */
export function parsePath(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const missing: Route = { page: 'missing', path: `/${parts.join('/')}` };
  const names: string[] = [];
  for (const part of parts) {
    const name = decode(part);
    if (name === null) return missing;
    names.push(name);
  }
  const [first, second, third] = names;
  switch (names.length) {
    case 0:
      return { page: 'overview', cluster: null };
    case 1:
      return listPage(first) ?? missing;
    case 2:
      return first === 'c' && second !== undefined ? { page: 'overview', cluster: second } : missing;
    case 3:
      if (second === undefined || third === undefined) return missing;
      if (first === 'c' && third === 'doctor') return { page: 'doctor', cluster: second };
      if (first === 'c' && third === 'broker') return { page: 'broker', cluster: second };
      if (first === 'tasks') return { page: 'task', cluster: second, taskId: third };
      if (first === 'workflows') return { page: 'workflow', cluster: second, rootId: third };
      if (first === 'types') return { page: 'type', cluster: second, name: third };
      if (first === 'errors') return { page: 'error', cluster: second, fingerprint: third };
      if (first === 'queues') return { page: 'queue', cluster: second, queue: third };
      return first === 'workers' ? { page: 'worker', cluster: second, worker: third } : missing;
    default:
      return missing;
  }
}

/** Pages whose path is their name. */
const LISTS = [
  'tasks',
  'workflows',
  'types',
  'run',
  'trends',
  'errors',
  'queues',
  'workers',
  'sql',
  'audit',
  'system',
] as const;

function listPage(name: string | undefined): Route | null {
  const page = LISTS.find((each) => each === name);
  return page === undefined ? null : { page };
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    // a lone % in a hand-typed address
    return null;
  }
}

/** The path of a route, relative to the base: '' for the start page. */
export function formatPath(route: Route): string {
  switch (route.page) {
    case 'overview':
      return route.cluster === null ? '' : `c/${encodeURIComponent(route.cluster)}`;
    case 'task':
      return `tasks/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.taskId)}`;
    case 'workflow':
      return `workflows/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.rootId)}`;
    case 'type':
      return `types/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.name)}`;
    case 'doctor':
      return `c/${encodeURIComponent(route.cluster)}/doctor`;
    case 'broker':
      return `c/${encodeURIComponent(route.cluster)}/broker`;
    case 'error':
      return `errors/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.fingerprint)}`;
    case 'queue':
      return `queues/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.queue)}`;
    case 'worker':
      return `workers/${encodeURIComponent(route.cluster)}/${encodeURIComponent(route.worker)}`;
    case 'tasks':
    case 'workflows':
    case 'types':
    case 'run':
    case 'trends':
    case 'errors':
    case 'queues':
    case 'workers':
    case 'sql':
    case 'audit':
    case 'system':
      return route.page;
    case 'missing':
      return route.path.replace(/^\//, '');
    default:
      return route satisfies never;
  }
}

/** The last part of the document's title. */
export function titleOf(route: Route): string {
  switch (route.page) {
    case 'overview':
      return route.cluster ?? 'All clusters';
    case 'tasks':
      return 'Tasks';
    case 'task':
      return `Task ${route.taskId.slice(0, 8)}`;
    case 'workflows':
      return 'Workflows';
    case 'workflow':
      return `Workflow ${route.rootId.slice(0, 8)}`;
    case 'types':
      return 'Task types';
    case 'type':
      return route.name;
    case 'run':
      return 'Run a task';
    case 'trends':
      return 'Trends';
    case 'errors':
      return 'Errors';
    case 'error':
      return `Error ${route.fingerprint.slice(0, 8)}`;
    case 'queues':
      return 'Queues';
    case 'queue':
      return route.queue;
    case 'broker':
      return `Broker of ${route.cluster}`;
    case 'workers':
      return 'Workers';
    case 'doctor':
      return `Doctor of ${route.cluster}`;
    case 'worker':
      return route.worker;
    case 'sql':
      return 'SQL';
    case 'audit':
      return 'Audit';
    case 'system':
      return 'System';
    case 'missing':
      return 'Not found';
    default:
      return route satisfies never;
  }
}
