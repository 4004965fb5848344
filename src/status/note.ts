/** One line of the note on a merge request: what became of its change in one environment. */
export interface NoteRow {
  readonly environment: string;
  readonly app: string;
  /** e.g. `synced`. */
  readonly result: string;
  /** First cause, or what stands; cluster text, shown as code. */
  readonly message: string;
  /** Markdown links: delivery commit and job. */
  readonly links: readonly string[];
}

/** What tells our note from others. */
export const noteMarker = '<!-- sluice: delivery -->';

const head = ['### Delivery', '', '| environment | app | result | what | where |', '|---|---|---|---|---|'];
const signs: Readonly<Record<string, string>> = { synced: '✅', superseded: '⏭️', held: '⏸️' };

/** The note with these rows in place of those of the same environment and app; `before` is what stands, null for none. */
export function noteText(before: string | null, rows: readonly NoteRow[]): string {
  const lines = new Map<string, string>();
  for (const line of (before ?? '').split('\n')) {
    const [, key] = /^\| ([a-z0-9-]+ \| [a-z0-9-]+) \| (?!result )/.exec(line) ?? [];
    if (key !== undefined) lines.set(key, line);
  }
  for (const { environment, app, result, message, links } of rows)
    lines.set(
      `${environment} | ${app}`,
      `| ${environment} | ${app} | ${signs[result] ?? '❌'} ${result} | ${code(message)} | ${links.join(' · ')} |`,
    );
  return [noteMarker, ...head, ...lines.values(), ''].join('\n');
}

/** Text from a cluster as inline code: no mark-up, no mention, one line, at most 300 code points. */
function code(text: string): string {
  const flat = text.replaceAll(/[\s`]+/g, ' ').trim();
  const points = [...flat];
  const short = points.length > 300 ? `${points.slice(0, 299).join('')}…` : flat;
  return short === '' ? '' : `\`${short.replaceAll('|', String.raw`\|`)}\``;
}
