import type { Publication } from '../../src/artifact/published.ts';
import type { ClusterSettings, Pair } from '../../src/config/config.ts';
import { allPairs, appOf, environmentOf } from '../../src/config/pair.ts';
import { Fault, faultRecord, worstExit } from '../../src/fault.ts';
import type { ExitCode, FaultRecord } from '../../src/fault.ts';
import { findSources } from '../../src/notify/find-source.ts';
import type { NotifyWay, ObjectRef } from '../../src/notify/request.ts';
import { parsePublication } from '../../src/sync/publication.ts';
import { repositoryUrls } from '../../src/sync/target.ts';
import type { Cluster } from '../../src/systems/cluster.ts';
import type { CommandResult } from '../command.ts';
import type { Context } from '../context.ts';
import { alignedTable } from '../output/table.ts';
import { askFlux, openCluster } from './sync.follow.ts';

/** One artifact whose source is to be asked. */
interface Address {
  readonly app: string;
  readonly environment: string;
  readonly artifact: string;
  readonly wanted: string;
  readonly source: 'oci' | 'git';
  readonly urls: readonly string[];
  readonly reference: string;
  readonly namespace: string;
  readonly objects: readonly string[];
}

interface NotifyRow {
  readonly environment: string;
  readonly app: string;
  readonly artifact: string;
  readonly cluster: string;
  /** null: no source in the cluster delivers it. */
  readonly source: ObjectRef | null;
  readonly way: NotifyWay | null;
  readonly token: string | null;
  readonly fault?: FaultRecord;
  readonly exit: ExitCode;
}

/** `notify`. Faults: those of configuration; what a cluster refuses stands in its rows. */
export async function run(context: Context): Promise<CommandResult> {
  const config = await context.config();
  const { values, job } = context;
  for (const name of values.list('app')) appOf(config, name);
  for (const name of values.list('environment')) environmentOf(config, name);
  const own = config.environments.filter((environment) => environment.name === job.environment);
  const names = values.list('environment').length > 0 ? values.list('environment') : own.map(({ name }) => name);
  const publication = await readPublication(context);
  const pairs = allPairs(config, values.string('registry')).filter(
    (pair) =>
      (names.length === 0 || names.includes(pair.environment.name)) &&
      (values.list('app').length === 0 || values.list('app').includes(pair.app.name)),
  );
  const addresses = pairs.flatMap((pair) =>
    addressesOf(context, pair, publication).map((address) => ({ pair, address })),
  );
  const clusters = Map.groupBy(addresses, ({ pair }) => pair.environment.name);
  const rows = await Promise.all(
    [...clusters.values()].flatMap((group) =>
      group[0]!.pair.environment.clusters.map((settings) =>
        askCluster(
          context,
          settings,
          group.map(({ address }) => address),
        ),
      ),
    ),
  );
  return resultOf(rows.flat(), values.boolean('dry-run'));
}

async function readPublication(context: Context): Promise<Publication | null> {
  const file = context.values.string('published');
  if (file === undefined) return null;
  const content = await context.files.read(file);
  if (content === null) throw new Fault('file_missing', `${file} does not exist`);
  return parsePublication(Buffer.from(content).toString(), file);
}

function addressesOf(context: Context, pair: Pair, publication: Publication | null): readonly Address[] {
  const { values, job } = context;
  const base = {
    app: pair.app.name,
    environment: pair.environment.name,
    source: pair.source,
    namespace: pair.namespace,
    objects: pair.objects,
  };
  return pair.artifacts.flatMap((artifact): readonly Address[] => {
    const published = publication?.artifacts.find(
      (one) => one.app === pair.app.name && one.environment === pair.environment.name && one.artifact === artifact.name,
    );
    if (publication !== null && published?.outcome !== 'pushed') return [];
    const address = { ...base, artifact: artifact.name, wanted: published?.digest ?? publication?.commit ?? '' };
    if (pair.source === 'oci' && published === undefined && artifact.repository.includes('{registry}'))
      throw new Fault('usage', `the registry of ${artifact.name} is not known`, {
        hint: 'Give --registry HOST/PATH (in a GitLab job: CI_REGISTRY_IMAGE).',
      });
    if (pair.source === 'oci')
      return [{ ...address, urls: [published?.repository ?? artifact.repository], reference: pair.tag }];
    if (job.serverUrl === undefined)
      throw new Fault('usage', 'the address of GitLab is not known', {
        hint: 'Run in a GitLab job, or give --gitlab URL.',
      });
    const reference = values.string('branch') ?? job.defaultBranch ?? 'main';
    return [{ ...address, urls: repositoryUrls(job.serverUrl, values.required('delivery')), reference }];
  });
}

async function askCluster(
  context: Context,
  settings: ClusterSettings,
  addresses: readonly Address[],
): Promise<readonly NotifyRow[]> {
  const row = (address: Address) => ({
    environment: address.environment,
    app: address.app,
    artifact: address.artifact,
    cluster: settings.name,
  });
  const failed = (address: Address, source: ObjectRef | null, error: unknown): NotifyRow => {
    context.signal.throwIfAborted();
    if (!(error instanceof Fault)) throw error;
    return { ...row(address), source, way: null, token: null, fault: faultRecord(error), exit: error.exit };
  };
  let cluster: Cluster | null;
  let sources: ReadonlyMap<Address, readonly ObjectRef[]>;
  try {
    cluster = await clusterOf(context, settings);
    sources = cluster === null ? namedSources(addresses) : await findSources(cluster, addresses, context.signal);
  } catch (error) {
    return addresses.map((address) => failed(address, null, error));
  }
  const asks = addresses.flatMap((address): readonly { address: Address; source: ObjectRef | null }[] => {
    const found = sources.get(address) ?? [];
    return found.length > 0 ? found.map((source) => ({ address, source })) : [{ address, source: null }];
  });
  return Promise.all(
    asks.map(async ({ address, source }): Promise<NotifyRow> => {
      if (source === null) return { ...row(address), source, way: null, token: null, exit: 4 };
      if (context.values.boolean('dry-run'))
        return { ...row(address), source, way: settings.notify[0] ?? 'none', token: null, exit: 0 };
      try {
        const request = await askFlux(context, cluster, settings, address, source, context.signal);
        const unanswered = request.way === 'none' && !settings.notify.includes('none');
        return { ...row(address), source, way: request.way, token: request.token, exit: unanswered ? 4 : 0 };
      } catch (error) {
        return failed(address, source, error);
      }
    }),
  );
}

/** Direct Receivers need no cluster credential. */
async function clusterOf(context: Context, settings: ClusterSettings): Promise<Cluster | null> {
  try {
    return await openCluster(context, settings);
  } catch (error) {
    const direct = settings.receiver !== null && settings.receiver.url !== null;
    if (direct && error instanceof Fault && error.code === 'context_missing') return null;
    throw error;
  }
}

/** Without a look into the cluster: the names of sluice.yaml, else the artifact's. */
function namedSources(addresses: readonly Address[]): ReadonlyMap<Address, readonly ObjectRef[]> {
  return new Map(
    addresses.map((address) => [
      address,
      [
        {
          kind: address.source === 'git' ? 'GitRepository' : 'OCIRepository',
          namespace: address.namespace,
          name: address.objects[0] ?? address.artifact,
        },
      ],
    ]),
  );
}

function resultOf(rows: readonly NotifyRow[], planned: boolean): CommandResult {
  const lines = rows.map((row) => [
    `${row.environment}/${row.app}${row.artifact === row.app ? '' : ` (${row.artifact})`}`,
    row.cluster,
    row.source === null ? '-' : `${row.source.kind} ${row.source.namespace}/${row.source.name}`,
    row.fault?.message ?? (row.source === null ? 'no source delivers it' : (row.way ?? '')),
  ]);
  const exit = worstExit(rows.map((row) => row.exit));
  const done = planned ? 'planned' : 'asked';
  return {
    record: { outcome: rows.length === 0 ? 'nothing' : exit === 0 ? done : 'failed', requests: rows },
    text: rows.length === 0 ? 'Nothing to ask for.' : alignedTable([['APP', 'CLUSTER', 'SOURCE', 'WAY'], ...lines]),
    exit,
  };
}
