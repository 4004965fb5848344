/** GitLab keeps 255 characters of a description and of a target URL and refuses more (commit_statuses.rb). */
const limit = 255;

/**
 * One line of at most 255 code points, no surrogate pair is cut. A longer text loses its middle: what it is about stands
 * at the beginning, the first cause of a nested error at the end. It is cut between words where there are any.
 */
export function fitDescription(text: string): string {
  // Control characters and lone surrogates would not survive JSON and GitLab's database.
  const line = text
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const points = Array.from(line);
  if (points.length <= limit) return line;
  const gap = ' … ';
  const head = 110;
  const begin = wholeWords(points.slice(0, head + 1), head);
  const tail = points.slice(head + gap.length - limit - 1).toReversed();
  const end = wholeWords(tail, tail.length - 1).toReversed();
  return `${begin.join('')}${gap}${end.join('')}`;
}

/** Words as long as this are cut like any text: digests, URLs. */
const longWord = 40;

/** At most `most` of the points, up to the end of a word; the point after them tells whether one ends there. */
function wholeWords(points: readonly string[], most: number): readonly string[] {
  const space = points.lastIndexOf(' ');
  return points.slice(0, space > most - longWord ? space : most);
}

/** The URL where GitLab accepts it: http or https and at most 255 characters; else null (half a URL leads nowhere). */
export function fitUrl(url: string | null | undefined): string | null {
  if (url === null || url === undefined || !URL.canParse(url) || url.length > limit) return null;
  return /^https?:$/.test(new URL(url).protocol) ? url : null;
}

/**
 * The job behind a target URL of this GitLab (`<server>/<project>/-/jobs/<id>`), or null where it is something else.
 */
export function jobOfUrl(server: string, url: string | null): { readonly project: string; readonly id: number } | null {
  const base = `${server.replace(/\/+$/, '')}/`;
  if (url === null || !url.startsWith(base)) return null;
  const match = /^(.+)\/-\/jobs\/(\d+)\/?$/.exec(url.slice(base.length));
  return match === null ? null : { project: match[1]!, id: Number(match[2]) };
}
