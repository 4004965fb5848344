import { baseName, fullName, readImage } from '../app/image.ts';
import { editDistance } from '../config/nearest.ts';
import { placesOf } from './text.ts';

/** An image name somewhere in a text. */
export interface NearName {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const mention =
  /(?:image|repository|repo|newName|name|url|chart)["']?[ \t]*[:=][ \t]*["']?(?:oci:\/\/)?([^\s"'#,{}[\]]+)/gi;

/**
 * Names that are near `name`, nearest first, at most `limit`: the same name in full (`nginx`, `docker.io/library/nginx`),
 * the same path under another registry, the same last component, or few letters away. Read from the bare text, so that
 * files which cannot be parsed count too.
 */
export function nearestNames(name: string, files: ReadonlyMap<string, Uint8Array>, limit = 3): readonly NearName[] {
  const found = new Map<string, NearName & { score: number }>();
  for (const [file, content] of files) {
    if (content.byteLength > 1024 * 1024) continue;
    const text = new TextDecoder().decode(content);
    for (const match of text.matchAll(mention)) {
      const near = readImage(match[1]!)?.name;
      if (near === undefined || found.has(near)) continue;
      const score = distance(name, near);
      if (score > 4 || isObjectName(text, match)) continue;
      const offset = match.index + match[0].indexOf(match[1]!);
      const { line, column } = placesOf(file, text)(offset);
      found.set(near, { name: near, file, line, column, score });
    }
  }
  return [...found.values()]
    .toSorted((one, other) => one.score - other.score || one.name.localeCompare(other.name))
    .slice(0, limit)
    .map(({ name: near, file, line, column }) => ({ name: near, file, line, column }));
}

/** `name: web` of an object or a container, with nothing around it that an image would have. */
function isObjectName(text: string, match: RegExpExecArray): boolean {
  if (!/^name\b/i.test(match[0]) || /\w/.test(text.charAt(match.index - 1))) return false;
  if (/[/:]/.test(match[1]!)) return false;
  const lines = [...text.slice(0, match.index).split('\n').slice(-3), ...text.slice(match.index).split('\n', 3)];
  return !/\b(?:newTag|newName|digest|tag)["']?[ \t]*:/i.test(lines.join('\n'));
}

/** 0: the same in full; 1: the same path; 2: the same last component; 3, 4: letters away. Anything above: not near. */
function distance(name: string, other: string): number {
  const [one, two] = [fullName(name), fullName(other)];
  if (one === two) return 0;
  const path = (full: string): string => full.slice(full.indexOf('/') + 1);
  if (path(one) === path(two)) return 1;
  if (baseName(name) === baseName(other)) return 2;
  const [short, near] = [baseName(name), baseName(other)];
  if (short.length <= 3 || Math.abs(short.length - near.length) > 2) return 9;
  const letters = editDistance(short, near);
  return letters <= 2 ? 2 + letters : 9;
}
