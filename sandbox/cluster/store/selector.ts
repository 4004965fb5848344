import type { ClusterObject } from '../handle.ts';
import { badRequest } from './status-error.ts';
import { at, text } from './object.ts';

type Test = (object: ClusterObject) => boolean;

function requirement(part: string): (labels: Readonly<Record<string, string>>) => boolean {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(part);
  if (set) {
    const [, key = '', word, values = ''] = set;
    const wanted = values.split(',').map((value) => value.trim());
    return (labels) => (word === 'in' ? wanted.includes(labels[key] ?? '\0') : !wanted.includes(labels[key] ?? '\0'));
  }
  const compared = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(part);
  if (compared) {
    const [, key = '', sign, value] = compared;
    return (labels) => (sign === '!=' ? labels[key] !== value : labels[key] === value);
  }
  if (/^![^\s=]+$/.test(part)) return (labels) => !(part.slice(1) in labels);
  if (/^[^\s=!]+$/.test(part)) return (labels) => part in labels;
  throw badRequest(`unable to parse requirement: ${part}`);
}

/** A label selector (`a=b,c!=d,e in (x,y),!f`) as a test of objects. */
export function labelSelector(selector: string | null): Test {
  if (!selector) return () => true;
  const tests = selector.split(/,(?![^(]*\))/).map((part) => requirement(part.trim()));
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

/** A field selector (`metadata.name=x`, `involvedObject.kind!=Pod`) as a test of objects. */
export function fieldSelector(selector: string | null): Test {
  if (!selector) return () => true;
  const tests = selector.split(',').map((part): Test => {
    const [, path = '', sign, value] = /^([\w.]+)(==|=|!=)(.*)$/.exec(part.trim()) ?? [];
    if (!path) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    return (object) => (text(at(object, ...path.split('.'))) === value) !== (sign === '!=');
  });
  return (object) => tests.every((test) => test(object));
}
