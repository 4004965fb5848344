import { isMap, isScalar, isSeq } from 'yaml';
import { Fault } from '../fault.ts';
import { heldBy, mergedInto, resolve } from './document.ts';
import type { Alias, ManifestDocument, ManifestFile, Node, Pair, YAMLMap } from './document.ts';
import type { TargetKind } from './change.ts';
import type { Write } from './slot.ts';

/** A write with the kind that found it, and the map that says which image it is. */
export interface Claim {
  readonly write: Write;
  readonly kind: TargetKind;
  readonly host: YAMLMap | null;
}

interface Holder {
  readonly parent: Node;
  readonly pair: Pair<Node, Node | null> | null;
}

/**
 * Refuses writes that would change more than what was asked: a value behind an anchor is changed only where all its
 * users are targets of the same change. Fault `edit_refused` names the other users. `claims` are all those of one file.
 */
export function checkSharing(file: ManifestFile, claims: readonly Claim[]): void {
  for (const document of file.documents) {
    if (document.anchors.size === 0) continue;
    const own = claims.filter((claim) => claim.write.document === document);
    const holders = holdersOf(document);
    for (const claim of own) {
      if (claim.write.type === 'add') checkAdded(file, document, holders, claim.write, own);
      else checkClaim(file, document, holders, claim, own);
    }
  }
}

function checkClaim(
  file: ManifestFile,
  document: ManifestDocument,
  holders: ReadonlyMap<Node, Holder>,
  claim: Claim,
  claims: readonly Claim[],
): void {
  const real = resolve(document, writtenNode(claim.write));
  if (!real) return;
  const group = claims.filter(({ write }) => resolve(document, writtenNode(write)) === real);
  const claimed = new Set(group.map(({ write }) => writtenNode(write)));
  const aliases = new Set(group.flatMap(({ write }) => (write.type === 'set' ? (write.aliases ?? []) : [])));
  const merges = new Set(group.flatMap(({ write }) => (write.type === 'set' ? (write.merges ?? []) : [])));
  const direct = group.some(({ write }) => writtenNode(write) === real && isDirect(write));
  const others: Node[] = [...document.anchors]
    .filter(([alias, node]) => node === real && !claimed.has(alias))
    .map(([alias]) => alias);
  const elsewhere = !claimed.has(real) || (aliases.size > 0 && !direct);
  if (elsewhere && !onlyHolds(claim.kind, holders, real)) others.push(real);
  for (let holder = holders.get(real); holder; holder = holders.get(holder.parent)) {
    for (const [alias, target] of document.anchors) {
      if (target !== holder.parent) continue;
      const user = mergeUser(document, holders, alias);
      if (user === null) {
        if (claim.kind === 'path' && !aliases.has(alias)) others.push(alias);
      } else if (holder.pair && inherits(document, user, holder.pair)) {
        const inMap = holder.pair.value === real || holder.pair.value === writtenNode(claim.write);
        const asked =
          claim.kind === 'path' ? direct || merges.has(user) : !inMap || group.some(({ host }) => host === user);
        if (!asked) others.push(alias);
      }
    }
  }
  refuseOthers(file, claim.write.path, real, others);
}

/** A key that is added to an anchored map is inherited by the maps that merge it. */
function checkAdded(
  file: ManifestFile,
  document: ManifestDocument,
  holders: ReadonlyMap<Node, Holder>,
  write: Write & { type: 'add' },
  claims: readonly Claim[],
): void {
  const others = [...document.anchors].flatMap(([alias, target]) => {
    const user = target === write.map ? mergeUser(document, holders, alias) : null;
    const asked = user === null || claims.some((each) => each.host === user && each.write.after === write.after);
    return asked || heldBy(document, user, write.key) ? [] : [alias];
  });
  refuseOthers(file, write.path, write.map, others);
}

function refuseOthers(file: ManifestFile, path: string, real: Node, others: readonly Node[]): void {
  if (others.length === 0) return;
  const users = others.map((node) => file.place(node.range?.[0] ?? 0)).map((place) => `${place.line}:${place.column}`);
  throw new Fault(
    'edit_refused',
    `${path}: the value is shared by an anchor, and these users are no targets of this change: ${users.join(', ')}`,
    {
      place: file.place(real.range?.[0] ?? 0),
      hint: 'Change all users together, or replace the alias by a value of its own.',
    },
  );
}

/** Does the write name the place itself, through no alias and no merge key? */
function isDirect(write: Write): boolean {
  return write.type !== 'set' || ((write.aliases ?? []).length === 0 && (write.merges ?? []).length === 0);
}

function writtenNode(write: Write): Node | null {
  if (write.type === 'set') return write.node;
  return write.type === 'remove' ? write.pair.value : null;
}

/** Does the merging map see this very pair, and no own one in its stead? */
function inherits(document: ManifestDocument, user: YAMLMap, pair: Pair<Node, Node | null>): boolean {
  return isScalar(pair.key) && heldBy(document, user, String(pair.key.value))?.pair === pair;
}

/** The map that merges the alias by `<<`, or null where it is used as a value. */
function mergeUser(document: ManifestDocument, holders: ReadonlyMap<Node, Holder>, alias: Alias): YAMLMap | null {
  const first = holders.get(alias);
  const map = first && isSeq(first.parent) ? holders.get(first.parent)?.parent : first?.parent;
  return isMap(map) && mergedInto(document, map).includes(document.anchors.get(alias) as YAMLMap) ? map : null;
}

/**
 * Does the anchored value stand where it has no effect of its own: below a root key such as `x-tag`, `.tag` or `_tag`,
 * or (for images) in no map that names an image?
 */
function onlyHolds(kind: TargetKind, holders: ReadonlyMap<Node, Holder>, real: Node): boolean {
  let top: Pair<Node, Node | null> | null = null;
  for (let node: Node | undefined = real; node; node = holders.get(node)?.parent) top = holders.get(node)?.pair ?? top;
  const key = top && isScalar(top.key) ? String(top.key.value) : '';
  if (/^(?:x-|\.|_)/.test(key)) return true;
  const parent = holders.get(real)?.parent;
  const names = ['repository', 'repo', 'image', 'name', 'registry', 'url', 'kind'];
  return (
    kind !== 'path' &&
    isMap(parent) &&
    !parent.items.some((pair) => isScalar(pair.key) && names.includes(String(pair.key.value)))
  );
}

function holdersOf(document: ManifestDocument): ReadonlyMap<Node, Holder> {
  const holders = new Map<Node, Holder>();
  const stack: (Node | null)[] = [document.root];
  while (stack.length > 0) {
    const parent = stack.pop();
    if (isMap(parent)) {
      for (const pair of parent.items as Pair<Node, Node | null>[]) {
        if (pair.value) {
          holders.set(pair.value, { parent, pair });
          stack.push(pair.value);
        }
      }
    } else if (isSeq(parent)) {
      for (const item of parent.items as Node[]) {
        holders.set(item, { parent, pair: null });
        stack.push(item);
      }
    }
  }
  return holders;
}
