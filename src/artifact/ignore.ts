import { matchesName, namePattern, type NamePattern } from './name-pattern.ts';

/**
 * Flux's ignore rules. They are not git's: Flux asks for each file alone whether the last rule that matches excludes it,
 * so a negation brings back files of an excluded folder, and a rule with a slash matches a path's beginning
 * (github.com/fluxcd/pkg/sourceignore `sourceignore.go`, `gitignore/pattern.go`). No library for .gitignore does this.
 */

/** One rule, counting from the folder `domain`. */
interface Rule {
  readonly domain: readonly string[];
  readonly pattern: readonly { readonly text: string; readonly name: NamePattern }[];
  readonly include: boolean;
  readonly folderOnly: boolean;
  readonly anchored: boolean;
}

/** What Flux's source-controller leaves out of every artifact. */
const defaultRules: readonly string[] = (
  '.git/ .gitignore .gitmodules .gitattributes ' +
  '*.jpg *.jpeg *.gif *.png *.wmv *.flv *.tar.gz *.zip ' +
  '.github/ .circleci/ .travis.yml .gitlab-ci.yml appveyor.yml .drone.yml cloudbuild.yaml ' +
  'codeship-services.yml codeship-steps.yml **/.goreleaser.yml **/.sops.yaml **/.flux.yaml'
).split(' ');

export const ignoreFileName = '.sourceignore';

/**
 * Which files does Flux leave out? `ignoreFiles`: the texts of all .sourceignore files, by path. Folders' rules count
 * after those of the folders above.
 */
export function ignoreRules(ignoreFiles: ReadonlyMap<string, string>): (path: string) => boolean {
  const rules = defaultRules.map((text) => parseRule(text, []));
  for (const path of [...ignoreFiles.keys()].sort(byFolder)) {
    const domain = path.split('/').slice(0, -1);
    for (const line of (ignoreFiles.get(path) ?? '').split('\n')) {
      const text = line.replace(/\r$/, '');
      if (!text.startsWith('#') && text.trim() !== '') rules.push(parseRule(text, domain));
    }
  }
  return (path) => {
    const segments = path.split('/');
    const last = rules.findLast((rule) => matches(rule, segments));
    return last !== undefined && !last.include;
  };
}

/** Does a .sourceignore bring files back? Then Flux needs it in the artifact to keep them. */
export function bringsBack(text: string): boolean {
  return text.split('\n').some((line) => line.startsWith('!'));
}

function parseRule(line: string, domain: readonly string[]): Rule {
  const include = line.startsWith('!');
  let text = include ? line.slice(1) : line;
  if (!text.endsWith('\\ ')) text = text.replace(/ +$/, '');
  const folderOnly = text.endsWith('/');
  if (folderOnly) text = text.slice(0, -1);
  const pattern = text.split('/').map((part) => ({ text: part, name: namePattern(part) }));
  return { domain, pattern, include, folderOnly, anchored: pattern.length > 1 };
}

/** `path` is a file's: a rule for folders matches only by a segment before the last. */
function matches(rule: Rule, path: readonly string[]): boolean {
  if (path.length <= rule.domain.length || rule.domain.some((name, index) => path[index] !== name)) return false;
  const inside = path.slice(rule.domain.length);
  if (rule.anchored) return matchesPath(rule, inside);
  const [only] = rule.pattern;
  const index = inside.findIndex((name) => only && matchesName(only.name, name));
  return index >= 0 && !(rule.folderOnly && index === inside.length - 1);
}

function matchesPath(rule: Rule, path: readonly string[]): boolean {
  let at = 0;
  let matched = false;
  let anywhere = false;
  for (const [index, { text, name }] of rule.pattern.entries()) {
    if (text === '') {
      anywhere = false;
      continue;
    }
    if (text === '**') {
      if (index === rule.pattern.length - 1) break;
      anywhere = true;
      continue;
    }
    if (text.includes('**') || at >= path.length) return false;
    if (anywhere) {
      anywhere = false;
      while (at < path.length) {
        if (matchesName(name, path[at++] ?? '')) {
          matched = true;
          break;
        }
        if (at >= path.length) matched = false;
      }
    } else {
      if (!matchesName(name, path[at] ?? '')) return false;
      matched = true;
      at++;
    }
  }
  return matched && !(rule.folderOnly && at >= path.length);
}

/** Folders above come first; Flux reads a folder's own file before those below. */
function byFolder(a: string, b: string): number {
  const [left, right] = [a.split('/').slice(0, -1), b.split('/').slice(0, -1)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [x = '', y = ''] = [left[index], right[index]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
