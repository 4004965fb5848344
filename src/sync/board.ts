import { Fault } from '../fault.ts';
import { isFinal } from '../status/step.ts';
import type { Posted } from '../status/post.ts';
import { post } from '../status/post.ts';
import type { StatusState } from '../status/report.ts';
import { fitDescription, fitUrl } from '../status/text.ts';
import type { Clock } from '../systems/clock.ts';
import type { GitLab } from '../systems/gitlab.ts';
import type { Line } from './line.ts';
import type { Report } from './progress.ts';

/** What became of one status. */
export interface LineResult {
  readonly line: Line;
  readonly posted: Posted | null;
  /** Why the last post failed: credentials, or GitLab away until the deadline. */
  readonly fault: Fault | null;
}

export interface BoardOptions {
  readonly clock: Clock;
  /** Ends normal posting; `close` works after it. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch until which an absent GitLab is asked again. */
  readonly deadline: () => number;
  readonly gitlabOf: (line: Line) => Promise<GitLab>;
  /** The delivery job. */
  readonly targetUrl: string | null;
  /** A final state that stands already on this line and is not to be reopened. */
  readonly keep?: (line: Line) => StatusState | undefined;
  readonly warn: (text: string) => void;
}

/** The statuses that this run has begun: the one list that every way out closes. */
export interface Board {
  /** Wants a state. Steps back, repeated states and anything after a final state are ignored. */
  want(line: Line, report: Report): void;
  /** Resolves when all that is wanted has been posted, or could not be. */
  settle(): Promise<readonly LineResult[]>;
  /** Gives every begun status its final state within `withinMs`, whatever has become of the run's signal. */
  close(report: Report, withinMs: number): Promise<readonly LineResult[]>;
}

interface Entry {
  readonly line: Line;
  queue: Report[];
  wanted: StatusState | null;
  begun: boolean;
  /** The state that GitLab is known to have. */
  standing: StatusState | null;
  pipelineId: number | null;
  posted: Posted | null;
  fault: Fault | null;
}

/** May something stand in GitLab that is not final? */
function isOpen({ begun, standing, posted }: Entry): boolean {
  if (!begun || posted?.outcome === 'missing') return false;
  if (posted?.outcome === 'invalid' && standing === null) return false;
  return standing === null || !isFinal(standing);
}

const rank = (state: StatusState) => (state === 'pending' ? 0 : state === 'running' ? 1 : 2);

/** The row that this run posted last on a line, where it is known. */
function ownPost({ posted }: Entry): { readonly state: StatusState; readonly id: number } | undefined {
  return posted?.outcome === 'posted' && posted.state !== null && posted.id !== null
    ? { state: posted.state, id: posted.id }
    : undefined;
}

/** An empty board. Posts of one commit go one after the other (GitLab locks by commit), commits side by side. */
export function createBoard(options: BoardOptions): Board {
  const entries = new Map<string, Entry>();
  const turns = new Map<string, Promise<void>>();
  const normal = new AbortController();
  const sent = new AbortController();
  const signal = AbortSignal.any([options.signal, normal.signal]);
  const bots = new Map<string, Promise<string | null>>();
  /** The pipeline that the statuses of a commit are attached to, once one of them is. */
  const pipelines = new Map<string, number>();
  const refused = new Set<string>();
  let warned = false;

  function entryOf(line: Line): Entry {
    const known = entries.get(line.key);
    if (known !== undefined) return known;
    const { pipelineId } = line;
    const entry = {
      line,
      queue: [],
      wanted: null,
      begun: false,
      standing: null,
      pipelineId,
      posted: null,
      fault: null,
    };
    entries.set(line.key, entry);
    return entry;
  }

  async function send(
    entry: Entry,
    report: Report,
    until: { signal: AbortSignal; deadline: number; sent?: AbortSignal },
  ): Promise<void> {
    const { line } = entry;
    entry.begun = true;
    try {
      const gitlab = await options.gitlabOf(line);
      const wanted = {
        project: line.project,
        sha: line.sha,
        pipelineId: entry.pipelineId ?? pipelines.get(commitOf(entry)) ?? null,
        ref: line.ref,
        name: line.name,
        state: report.state,
        description: fitDescription(report.description),
        targetUrl: fitUrl(options.targetUrl),
      };
      const posted = await post(gitlab, wanted, {
        clock: options.clock,
        ...until,
        keep: options.keep?.(line),
        last: ownPost(entry),
        bot: (asked) => botOf(line, asked),
        onWait: (fault) => {
          if (!warned) options.warn(`statuses are late: ${fault.message}; they are caught up when GitLab answers`);
          warned = true;
        },
      });
      entry.posted = posted;
      entry.fault = null;
      entry.pipelineId = posted.pipelineId ?? entry.pipelineId;
      if (entry.pipelineId !== null) pipelines.set(commitOf(entry), entry.pipelineId);
      entry.standing = posted.state ?? entry.standing;
      if (posted.outcome === 'missing') entry.queue = [];
      if (posted.message !== '') options.warn(`${line.name} on ${line.project}@${line.sha}: ${posted.message}`);
    } catch (error) {
      if (until.signal.aborted) return;
      if (!(error instanceof Fault)) throw error;
      entry.fault = error;
      entry.queue = [];
      const refusal = `${line.project} ${error.code}`;
      if (!refused.has(refusal))
        options.warn(`no status can be posted to ${line.project}: ${error.message} ${error.hint}`);
      refused.add(refusal);
    }
  }

  function botOf(line: Line, gitlab: GitLab): Promise<string | null> {
    const key = line.app ?? '';
    const known = bots.get(key);
    if (known !== undefined) return known;
    const asked = gitlab.me().catch((error: unknown) => {
      bots.delete(key);
      // A token may post without being allowed to ask who it is.
      if (error instanceof Fault && error.code === 'token_refused') return null;
      throw error;
    });
    bots.set(key, asked);
    return asked;
  }

  const commitOf = (entry: Entry) => `${entry.line.project}@${entry.line.sha}`;

  async function takeTurn(entry: Entry, before: Promise<void> | undefined): Promise<void> {
    await before;
    const report = signal.aborted ? undefined : entry.queue.shift();
    if (report !== undefined) await send(entry, report, { signal, deadline: options.deadline(), sent: sent.signal });
  }

  function enqueue(entry: Entry): void {
    const commit = commitOf(entry);
    const turn = takeTurn(entry, turns.get(commit));
    // Whoever awaits `settle` or `close` gets the rejection; nobody need be there yet.
    turn.catch(() => undefined);
    turns.set(commit, turn);
  }

  const results = () =>
    [...entries.values()].map(({ line, posted, fault }) => ({ line, posted, fault }) satisfies LineResult);

  return {
    want(line, report) {
      const entry = entryOf(line);
      if (entry.fault !== null || entry.posted?.outcome === 'missing') return;
      if (entry.wanted !== null && rank(report.state) <= rank(entry.wanted)) return;
      entry.wanted = report.state;
      entry.queue.push(report);
      enqueue(entry);
    },
    async settle() {
      await Promise.all(turns.values());
      return results();
    },
    async close(report, withinMs) {
      const late = [...entries.values()].map((entry) => ({
        entry,
        final: entry.queue.find((queued) => isFinal(queued.state)) ?? report,
      }));
      const until = {
        signal: AbortSignal.timeout(withinMs),
        deadline: options.clock.now() + withinMs,
      };
      normal.abort(new Fault('terminated', 'closing'));
      // What GitLab is at comes first: a `running` that it takes up after `canceled` would stay open.
      const answered = new AbortController();
      options.clock.sleep(withinMs / 2, answered.signal).then(
        () => sent.abort(new Fault('terminated', 'closing')),
        () => undefined,
      );
      await Promise.allSettled(turns.values());
      answered.abort();
      const open = late.filter(({ entry }) => isOpen(entry));
      const byCommit = Map.groupBy(open, ({ entry }) => commitOf(entry));
      await Promise.all(
        [...byCommit.values()].map(async (group) => {
          for (const { entry, final } of group) await send(entry, final, until);
        }),
      );
      for (const { entry } of open)
        if (isOpen(entry))
          options.warn(
            `${entry.line.name} on ${commitOf(entry)} could not be closed; \`sluice sync --repair\` closes it`,
          );
      return results();
    },
  };
}
