import { busy } from './busy.ts';
import { completed, decide } from './composite.ts';
import { addJob, announceJob, createPipeline, recalculate } from './pipelines.ts';
import type { Made, PipelineRequest } from './pipelines.ts';
import { isOutdated, moveDeployment } from './environments.ts';
import { requeueSkipped } from './job-order.ts';
import { performJob } from './perform-job.ts';
import { bridgeStatus, createDownstream, isChild } from './downstream.ts';
import { retriesItself } from './job-retry.ts';
import { redundantTo } from './redundant.ts';
import { timeoutSeconds } from './run-job.ts';
import type { Pipeline, Row, State, User } from './state.ts';
import type { VariableFields } from './handle.ts';

/** Runs pipelines: decides which jobs may start, one at a time per resource group, and starts them. */
export interface Engine {
  /** Makes a pipeline and starts it. */
  create(request: PipelineRequest): Promise<Made>;
  /** Looks at a pipeline again after something about it has changed. */
  process(pipeline: Pipeline): void;
  play(row: Row, user: User, variables: readonly VariableFields[]): void;
  /** A copy of an ended job, started anew; the old one is `retried`. */
  retry(row: Row, user: User): Row;
  cancel(row: Row): void;
  cancelPipeline(pipeline: Pipeline): void;
  retryPipeline(pipeline: Pipeline, user: User): void;
  /** Adds work that pipelines may come from, for `idle`. */
  track<T>(work: Promise<T>): Promise<T>;
  /** As `track`, for work that nobody waits for: failures are logged. */
  background(work: Promise<unknown>): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
  /** Called when a pipeline has ended. */
  onEnd(listener: (pipeline: Pipeline) => void): void;
}

const slots = 4;
/** Starts the engine of one GitLab. */
export function createEngine(state: State): Engine {
  const works = new Set<Promise<unknown>>();
  const waiters = new Set<() => void>();
  const running = new Map<Row, Promise<void>>();
  const endListeners = new Set<(pipeline: Pipeline) => void>();
  const holders = new Map<string, Row>();
  let stopped = false;

  const wake = () => {
    if (works.size > 0 || running.size > 0 || [...state.pipelines.values()].some(busy)) return;
    for (const waiter of waiters) waiter();
    waiters.clear();
  };

  const track = async <T>(work: Promise<T>): Promise<T> => {
    works.add(work);
    try {
      return await work;
    } finally {
      works.delete(work);
      wake();
    }
  };

  const background = (work: Promise<unknown>) => {
    track(work).catch((error: unknown) =>
      state.log(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
  };

  const move = (row: Row, status: string, reason: string | null = null) => {
    row.status = status;
    row.failureReason = reason;
    if (status === 'pending') row.queuedAt ??= state.time();
    if (status === 'running') row.startedAt = state.time();
    if (completed.has(status)) row.finishedAt = state.time();
    if (
      status === 'skipped' ||
      status === 'canceled' ||
      status === 'success' ||
      status === 'failed' ||
      status === 'running'
    ) {
      moveDeployment(state, row, status);
    }
    announceJob(state, row);
  };

  const groupKey = (row: Row) =>
    row.job?.resourceGroup ? `${row.pipeline.project.id}:${row.job.resourceGroup}` : null;

  const release = (row: Row) => {
    const key = groupKey(row);
    if (!key || holders.get(key) !== row) return;
    holders.delete(key);
    const mode = row.pipeline.project.resourceModes.get(row.job?.resourceGroup ?? '') ?? 'unordered';
    const waiting = [...state.rows.values()].filter(
      (each) => each.status === 'waiting_for_resource' && groupKey(each) === key,
    );
    const ordered = mode.startsWith('newest') ? waiting.toReversed() : waiting;
    if (ordered[0]) enqueue(ordered[0]);
  };

  const enqueue = (row: Row) => {
    const key = groupKey(row);
    if (key && holders.has(key) && holders.get(key) !== row) {
      if (row.status !== 'waiting_for_resource') move(row, 'waiting_for_resource');
      return;
    }
    if (key) holders.set(key, row);
    if (isOutdated(row)) {
      move(row, 'failed', 'failed_outdated_deployment_job');
      release(row);
    } else {
      move(row, 'pending');
      if (row.kind === 'bridge') background(startBridge(row));
    }
  };

  const startBridge = async (row: Row): Promise<void> => {
    const made = await createDownstream(state, row);
    if ('failure' in made) {
      move(row, 'failed', made.failure);
      release(row);
    } else {
      row.downstream = made.pipeline;
      move(row, 'running');
      process(made.pipeline);
      followDownstream(row);
    }
    process(row.pipeline);
  };

  const delayed = async (row: Row): Promise<void> => {
    await state.clock.sleep(1000 * timeoutSeconds(row.job?.spec.data['start_in']));
    if (row.status !== 'scheduled' || stopped) return;
    enqueue(row);
    process(row.pipeline);
  };

  const followDownstream = (row: Row) => {
    const status = bridgeStatus(row);
    if (status === null || status === row.status || completed.has(row.status)) return;
    move(row, status);
    if (completed.has(status)) release(row);
  };

  const startPending = () => {
    if (stopped) return;
    for (const row of state.rows.values()) {
      if (running.size >= slots) return;
      if (row.kind !== 'job' || row.status !== 'pending' || running.has(row)) continue;
      const work = start(row).finally(() => {
        running.delete(row);
        process(row.pipeline);
        startPending();
        wake();
      });
      running.set(row, work);
    }
  };

  const start = async (row: Row): Promise<void> => {
    const part = row.job;
    if (!part) return;
    move(row, 'running');
    part.alive = true;
    recalculate(state, row.pipeline);
    const end = await performJob(state, row, part);
    move(row, end.status, end.failureReason);
    release(row);
    if (!stopped && retriesItself(row, end)) retry(row, row.user);
  };

  const retry = (row: Row, user: User): Row => {
    const part = row.job;
    if (!part) throw new Error('only jobs can be retried');
    row.retried = true;
    const copy = addJob(state, row.pipeline, part.spec, row.stageIndex, { like: part, user });
    requeueSkipped(copy, (each) => (each.status = 'created'));
    enqueue(copy);
    process(row.pipeline);
    return copy;
  };

  const process = (pipeline: Pipeline) => {
    if (stopped) return;
    const latest = pipeline.rows.filter((row) => !row.retried && row.kind !== 'external');
    let changed = true;
    while (changed) {
      changed = false;
      for (const row of latest) {
        if (row.status !== 'created' || !row.job) continue;
        const { needs, when } = row.job.spec;
        const before = needs
          ? latest.filter((other) =>
              needs.some((need) => need.job === other.name || need.job === other.job?.spec.baseName),
            )
          : latest.filter((other) => other.stageIndex < row.stageIndex);
        const decision = decide(when, before, needs !== null);
        if (decision === null) continue;
        changed = true;
        if (decision === 'run') enqueue(row);
        else if (decision === 'delay') {
          move(row, 'scheduled');
          background(delayed(row));
        } else move(row, decision === 'skip' ? 'skipped' : 'manual');
      }
    }
    const ended = recalculate(state, pipeline) && completed.has(pipeline.status);
    startPending();
    if (ended) for (const listener of endListeners) listener(pipeline);
    if (pipeline.upstream?.downstream === pipeline && !pipeline.upstream.retried) {
      const before = pipeline.upstream.status;
      followDownstream(pipeline.upstream);
      if (pipeline.upstream.status !== before) process(pipeline.upstream.pipeline);
    }
    wake();
  };

  const cancel = (row: Row) => {
    if (row.kind === 'bridge') {
      if (row.downstream && isChild(row.downstream)) cancelPipeline(row.downstream);
      if (!completed.has(row.status)) move(row, 'canceled');
      release(row);
    } else if (row.status === 'running') {
      move(row, 'canceling');
      row.job?.cancel?.();
    } else if (!completed.has(row.status)) {
      move(row, 'canceled');
      release(row);
    }
  };

  const cancelPipeline = (pipeline: Pipeline) => {
    for (const row of pipeline.rows) {
      const open = !completed.has(row.status) || (row.downstream !== null && !completed.has(row.downstream.status));
      if (!row.retried && open && row.status !== 'canceling') cancel(row);
    }
    process(pipeline);
  };

  const retryPipeline = (pipeline: Pipeline, user: User) => {
    for (const row of pipeline.rows.filter((each) => each.kind !== 'external' && !each.retried)) {
      if (row.status !== 'failed' && row.status !== 'canceled') continue;
      if (row.downstream && isChild(row.downstream)) {
        move(row, 'running');
        retryPipeline(row.downstream, user);
      } else retry(row, user);
    }
  };

  return {
    async create(request) {
      const made = await track(createPipeline(state, request));
      if (made.pipeline) {
        if (request.source === 'push' || request.source === 'merge_request_event')
          for (const older of redundantTo(made.pipeline)) cancelPipeline(older);
        process(made.pipeline);
      }
      return made;
    },
    process,
    play(row, _user, variables) {
      if (row.job) row.job.variables = variables;
      enqueue(row);
      requeueSkipped(row, (each) => (each.status = 'created'));
      process(row.pipeline);
    },
    retry,
    cancel(row) {
      cancel(row);
      process(row.pipeline);
    },
    cancelPipeline,
    retryPipeline,
    track,
    background,
    async idle() {
      await new Promise<void>((resolve) => {
        waiters.add(resolve);
        wake();
      });
    },
    async stop() {
      stopped = true;
      for (const row of running.keys()) row.job?.cancel?.();
      await Promise.allSettled(running.values());
    },
    onEnd(listener) {
      endListeners.add(listener);
    },
  };
}
