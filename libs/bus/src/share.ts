import { assign, type Place } from './assign.ts';
import type { Member, Membership } from './members.ts';

/** What this replica is to do for a cluster; `none` also when the cluster or this replica is on its way out. */
export type Role = 'primary' | 'standby' | 'none';

/**
 * How the clusters are shared out over the living replicas of a service: the same for each of them, as it follows from names alone.
 * It is a wish: until the lease of a cluster has passed on, its holder goes on.
 */
export class Share {
  readonly #members: Membership;
  readonly #id: string;
  readonly #offers = new Set<string>();
  #clusters: readonly string[] = [];
  /** Places, and what they follow from: everybody who waits asks for them at every change. */
  #places: ReadonlyMap<string, Place> = new Map();
  #placed: { readonly members: readonly Member[]; readonly clusters: readonly string[] } | null = null;

  constructor(members: Membership, id: string) {
    this.#members = members;
    this.#id = id;
  }

  /** Every cluster there is. */
  set clusters(names: readonly string[]) {
    this.#clusters = names;
    this.#tell();
  }

  roleOf(cluster: string): Role {
    const place = this.#place(cluster);
    if (place?.primary === this.#id) return 'primary';
    return place?.standby === this.#id ? 'standby' : 'none';
  }

  /** Whether the replica that is to have the cluster instead of this one can take it now; null when there is none. */
  heirReady(cluster: string): boolean | null {
    const heir = this.#place(cluster)?.primary;
    return heir === undefined || heir === this.#id ? null : this.#isReady(heir, cluster);
  }

  /** Another replica that can take the cluster over without a gap; null when there is none. */
  standbyOf(cluster: string): string | null {
    const place = this.#place(cluster);
    const others = [place?.primary, place?.standby].filter((id) => id !== undefined && id !== this.#id);
    return others.find((id) => typeof id === 'string' && this.#isReady(id, cluster)) ?? null;
  }

  /** Whether a replica is not, or no longer, among the living. */
  isGone(id: string): boolean {
    return !this.#members.current.some((member) => member.id === id);
  }

  /** Tells the others whether this replica, which does not hold the cluster, could take it without a gap. */
  offer(cluster: string, ready: boolean): void {
    if (this.#offers.has(cluster) === ready) return;
    if (ready) this.#offers.add(cluster);
    else this.#offers.delete(cluster);
    this.#tell();
  }

  /** Resolves when `condition` holds, looking at every change, or when `signal` is aborted. */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !condition()) await this.#members.changed(signal);
  }

  #tell(): void {
    this.#members.announce([...this.#offers].sort());
  }

  #isReady(id: string, cluster: string): boolean {
    return this.#members.current.find((member) => member.id === id)?.ready.includes(cluster) ?? false;
  }

  #place(cluster: string): Place | undefined {
    const { current: members } = this.#members;
    if (this.#placed?.members !== members || this.#placed.clusters !== this.#clusters) {
      this.#placed = { members, clusters: this.#clusters };
      this.#places = assign(
        this.#clusters,
        members.map(({ id }) => id),
      );
    }
    return this.#places.get(cluster);
  }
}
