import type { NaiveAnswer } from './naive.ts';
import type { Trap } from './trap.ts';

/** One trap and what each of the three says of it. */
export interface Row {
  readonly trap: Trap;
  readonly naive: NaiveAnswer;
  /** States that Flux's own GitLab provider posted on the delivery commit, each once, in order. */
  readonly provider: readonly string[];
  readonly verdict: string;
  readonly exit: number;
  /** Of `sync: staging/app` on the delivery commit. */
  readonly state: string;
  readonly message: string;
  /** Statuses of sluice that are not final. */
  readonly open: number;
}

type Color = 'green' | 'red' | 'neither';

const colorOf = ({ verdict }: Row): Color =>
  verdict === 'synced' ? 'green' : ['failed', 'suspended', 'unconsumed'].includes(verdict) ? 'red' : 'neither';

/** Green, although the version does not run. */
export const isFalseGreen = (row: Row, color = colorOf(row)) => color === 'green' && row.trap.truth !== 'healthy';
/** The version is broken for good, and nobody says so. */
export const isLostRed = (row: Row, color = colorOf(row)) => color !== 'red' && row.trap.truth === 'broken';
/** Red, although the version runs, or another has rightly taken over. */
export const isFalseRed = (row: Row, color = colorOf(row)) =>
  color === 'red' && (row.trap.truth === 'healthy' || row.trap.truth === 'replaced');

const naiveColor = ({ naive }: Row): Color => (naive === 'hangs' ? 'neither' : naive);
/** What stands last is what people see. */
const providerColor = ({ provider }: Row): Color =>
  provider.at(-1) === 'success' ? 'green' : provider.at(-1) === 'failed' ? 'red' : 'neither';

/** `docs/truth-table.md`. */
export function truthPage(rows: readonly Row[]): string {
  const count = (test: (row: Row, color?: Color) => boolean, color: (row: Row) => Color) =>
    rows.filter((row) => test(row, color(row))).length;
  const sums = (
    [
      ['wait for Ready', naiveColor],
      ['Flux’s GitLab provider', providerColor],
      ['sluice', colorOf],
    ] as const
  ).map(
    ([who, color]) =>
      `| ${who} | ${count(isFalseGreen, color)} | ${count(isLostRed, color)} | ${count(isFalseRed, color)} |`,
  );
  const lines = rows.map(({ trap, naive, provider, verdict, exit, state }) => {
    const posted = provider.length === 0 ? 'nothing' : provider.join(', then ');
    return `| ${trap.traps} | ${trap.story} | ${trap.truth} | ${naive} | ${posted} | ${verdict} (exit ${exit}) | ${state} |`;
  });
  return `# Truth table

What three ways of telling say of the same happenings on the simulated cluster: a job that waits for Ready as
\`flux reconcile kustomization app --with-source\` decides, Flux’s own GitLab provider (what it posted on the delivery
commit by the time sluice was done), and sluice. Written by \`test/story/truth-table.test.ts\`
(\`vitest run --project long --update truth-table\`), which fails when it is not what happens.

*healthy*: the version runs in the end · *broken*: it will not come up by itself · *replaced*: another version without its
values took over · *undecided*: nothing can be known in time. *hangs*: the timeout after 5 minutes, without a cause.

| who | false greens | lost reds | false reds |
|---|---|---|---|
${sums.join('\n')}

A false green says that a version runs which does not; a lost red says nothing of a version that is broken for good.
Statuses that sluice left open: ${rows.reduce((sum, row) => sum + row.open, 0)}.

| trap | what happens | in truth | wait for Ready | Flux’s GitLab provider | sluice | its status |
|---|---|---|---|---|---|---|
${lines.join('\n')}

The numbers are those of the list in the tests of \`test/watch/traps-*.test.ts\`, which take each apart; 6, 25, 27 and 34
are of artifacts and shown there. Most of these happenings are told of the real Flux too, see [the lab](lab.md).
`;
}
