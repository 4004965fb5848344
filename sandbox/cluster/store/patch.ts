import { badRequest } from './status-error.ts';
import { type Fields, fields, isFields, same } from './object.ts';

/** JSON merge patch (RFC 7396); neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return structuredClone(patch);
  const merged: Fields = { ...fields(target) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** Applied over live: objects are merged, everything else is replaced. */
function overlay(live: unknown, applied: unknown): unknown {
  if (!isFields(applied)) return structuredClone(applied);
  const merged: Fields = { ...fields(live) };
  for (const [key, value] of Object.entries(applied)) merged[key] = overlay(merged[key], value);
  return merged;
}

/** Takes away what `before` had set and `after` no longer has. */
function dropAbandoned(live: unknown, before: unknown, after: unknown): unknown {
  if (!isFields(live) || !isFields(before)) return live;
  const kept: Fields = { ...live };
  for (const [key, value] of Object.entries(before)) {
    if (!(key in kept)) continue;
    if (!isFields(after) || !(key in after)) {
      if (!isFields(value) || !isFields(kept[key])) delete kept[key];
      else {
        const rest = dropAbandoned(kept[key], value, {});
        if (Object.keys(fields(rest)).length === 0) delete kept[key];
        else kept[key] = rest;
      }
    } else kept[key] = dropAbandoned(kept[key], value, after[key]);
  }
  return kept;
}

/**
 * Server-side apply by one field manager: fields of `applied` win, fields that the manager applied before and left out
 * now go, fields of others stay. Lists are taken as wholes.
 */
export function serverSideApply(live: unknown, before: unknown, applied: unknown): unknown {
  return overlay(dropAbandoned(live, before ?? {}, applied), applied);
}

const unescape = (token: string) => token.replaceAll('~1', '/').replaceAll('~0', '~');

function change(holder: unknown, key: string, operation: string, value: unknown): void {
  if (Array.isArray(holder)) {
    const index = key === '-' ? holder.length : Number(key);
    if (!Number.isInteger(index) || index < 0 || index > holder.length) throw badRequest(`jsonpatch: bad index ${key}`);
    holder.splice(index, operation === 'add' ? 0 : 1, ...(operation === 'remove' ? [] : [value]));
  } else if (isFields(holder)) {
    if (operation === 'remove') delete holder[key];
    else holder[key] = value;
  } else throw badRequest(`jsonpatch ${operation} operation does not apply: doc is missing path`);
}

/** JSON Patch (RFC 6902): add, replace, remove, test. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch is a list of operations');
  const document: unknown = structuredClone(target);
  for (const operation of operations) {
    const { op, path, value } = fields(operation);
    const tokens = String(path).split('/').slice(1).map(unescape);
    const last = tokens.pop() ?? '';
    let holder: unknown = document;
    for (const token of tokens) holder = Array.isArray(holder) ? holder[Number(token)] : fields(holder)[token];
    const here = Array.isArray(holder) ? holder[Number(last)] : fields(holder)[last];
    if (op === 'test') {
      if (!same(here, value)) throw badRequest(`testing value ${String(path)} failed`);
    } else if (op === 'add' || op === 'replace' || op === 'remove') {
      if (op !== 'add' && here === undefined)
        throw badRequest(`${op} operation does not apply: missing value at ${String(path)}`);
      change(holder, last, op, value);
    } else throw badRequest(`Unexpected kind: ${String(op)}`);
  }
  return document;
}
