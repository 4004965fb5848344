import { z } from 'zod';

/** The grammar of sluice.yaml: types, defaults and the texts of the reference page and of editors. */

const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and "-", and begin with a letter or digit')
  .max(63);

const RelativePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !/^[a-zA-Z]:[\\/]/.test(path), 'must be relative to the repository')
  .refine((path) => !path.split('/').includes('..'), 'must stay inside the repository (no "..")')
  .refine(
    (path) => !path.includes('\\') && !/\p{Cc}/u.test(path),
    'must use forward slashes and no control characters',
  );

const Duration = z
  .string()
  .regex(/^(\d+(ms|s|m|h|d))+$/, 'must be a duration such as 90s, 30m or 1h30m')
  .meta({ examples: ['90s', '30m', '1h30m'] });

const NotifyWay = z.enum(['oidc', 'receiver', 'annotate', 'none']);

const Receiver = z
  .strictObject({
    name: z.string().min(1).describe('Name of the Receiver object.'),
    namespace: z.string().min(1).default('flux-system').describe('Its namespace.'),
    url: z
      .string()
      .regex(/^https?:\/\/[^\s]+$/, 'must be an http(s) address')
      .optional()
      .describe('Address of the webhook receiver; default: the Kubernetes service proxy behind the agent.'),
    type: z.enum(['generic-hmac', 'gitlab', 'generic-oidc']).default('generic-hmac').describe('Type of the Receiver.'),
    secret_env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable')
      .optional()
      .describe('Variable that holds the Receiver’s token.'),
  })
  .describe('The Flux Receiver to call.');

const Cluster = z
  .strictObject({
    name: Name.describe('Name of the cluster, as in status names.'),
    agent: z
      .string()
      .regex(/^[^\s:]+:[^\s:]+$/, 'must be "<project path>:<agent name>"')
      .optional()
      .describe('GitLab agent, "<project path>:<agent name>".'),
    context: z.string().min(1).optional().describe('Any kubeconfig context, where there is no agent.'),
    notify: z
      .array(NotifyWay)
      .min(1)
      .optional()
      .describe(
        'Ways to notify Flux, in order of preference; default: oidc or receiver where configured, then annotate.',
      ),
    receiver: Receiver.optional(),
  })
  .refine(
    (cluster) => (cluster.agent === undefined) !== (cluster.context === undefined),
    'needs either `agent` or `context`',
  );

const Gates = z.strictObject({
  soak: Duration.optional().describe('How long the version must have been healthy in the environment before.'),
  windows: z
    .array(z.string().min(1))
    .optional()
    .describe('When deliveries may move, e.g. "Mon-Fri 08:00-16:00 Europe/Vienna".'),
  statuses: z.array(z.string().min(1)).optional().describe('Statuses that must be green on the commit.'),
});

/** Settings that an app or an environment may carry; the app's word wins. */
const shared = {
  source: z
    .enum(['oci', 'git'])
    .optional()
    .describe('What Flux follows: OCI artifacts (default) or the delivery repository itself.'),
  namespace: z.string().min(1).optional().describe('Namespace of the Flux objects; default flux-system.'),
  objects: z
    .array(z.string().min(1))
    .optional()
    .describe('Names of the source, Kustomizations and HelmReleases to follow; default: found by URL and tag.'),
  roots: z
    .array(RelativePath)
    .min(1)
    .optional()
    .describe('Folders that Flux builds; default <path>/{environment}. {app} and {environment} are filled in.'),
  timeout: Duration.optional().describe('How long sync waits for a verdict.'),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_{][A-Za-z0-9._{}-]*$/, 'must be a valid tag; {environment} is filled in')
    .optional()
    .describe('The moving tag; default {environment}.'),
  repository: z
    .string()
    .min(1)
    .optional()
    .describe(
      'OCI repository; default {registry}/{artifact}. {registry}, {app}, {artifact} and {environment} are filled in.',
    ),
  files: z
    .enum(['reached', 'folder'])
    .optional()
    .describe('What an artifact holds: the files that the roots reach (default), or the app’s folder.'),
  pin: z
    .enum(['tag', 'digest', 'both'])
    .optional()
    .describe(
      'What update writes: the tag alone, or the digest that the registry has for it, alone or beside the tag; default the tag, and the digest where --image gives one.',
    ),
  health: z.enum(['workloads', 'applied']).optional().describe('What counts as done; default workloads.'),
  watch: z
    .enum(['cluster', 'statuses'])
    .optional()
    .describe(
      'Where the outcome is read: in the cluster (default), or, weaker and without any cluster credential, from what Flux’s own GitLab Provider posts on the delivery commit.',
    ),
  report: z
    .array(z.enum(['status', 'deployment', 'note', 'none']))
    .optional()
    .describe(
      'How results reach the application project: job statuses on its commit, a deployment, a note on its merge request; default status, and deployment and note where `promote_from` is set.',
    ),
  hold: z.string().min(1).optional().describe('Reason why update and promote refuse it.'),
};

export const EnvironmentSchema = z.strictObject({
  promote_from: Name.optional().describe('The environment before this one in the promotion chain.'),
  changes: z.enum(['push', 'merge-request']).default('push').describe('How changes arrive.'),
  clusters: z.array(Cluster).default([]).describe('Clusters that Flux runs in.'),
  gates: Gates.optional().describe('What must hold before a delivery moves.'),
  ...shared,
});

const Target = z
  .strictObject({
    image: z.string().min(1).describe('The image as manifests call it.'),
    file: RelativePath.describe('File in the repository; {environment} is filled in.'),
    path: z.string().min(1).describe('JSON Pointer or dotted path of the value, or of the map that holds `keys`.'),
    document: z
      .union([z.string().min(1), z.int().min(0)])
      .optional()
      .describe('Document in the file: index from 0, or Kind/name.'),
    keys: z
      .strictObject({
        registry: z.string().min(1),
        repository: z.string().min(1),
        tag: z.string().min(1),
        digest: z.string().min(1),
      })
      .partial()
      .optional()
      .describe('Keys below `path` that hold the parts of the image.'),
    value: z
      .enum(['reference', 'repository', 'tag', 'digest'])
      .default('reference')
      .describe('What the value at `path` holds, where `keys` is not given.'),
  })
  .describe('A place that discovery does not find.');

export const AppSchema = z.strictObject({
  path: RelativePath.optional().describe('Folder of the app; default apps/<app>.'),
  project: z
    .string()
    .regex(/^[^\s/]+(\/[^\s/]+)+$/, 'must be a full project path such as shop/podinfo')
    .optional()
    .describe('Application project that gets its results back.'),
  artifacts: z
    .array(z.strictObject({ name: Name, path: RelativePath }))
    .min(1)
    .optional()
    .describe('Several artifacts of one app; default: one, named like the app.'),
  targets: z.array(Target).default([]).describe('Places that hold images, only where discovery is not enough.'),
  ...shared,
});

/** sluice.yaml as a person writes it. */
export const SluiceYaml = z
  .strictObject({
    version: z
      .literal(1, { error: (issue) => (issue.input === undefined ? 'is missing; write `version: 1`' : 'must be 1') })
      .describe('Version of this file’s grammar.'),
    environments: z
      .record(Name, EnvironmentSchema)
      .refine((value) => Object.keys(value).length > 0, 'needs at least one environment'),
    apps: z
      .record(
        Name,
        z.union([AppSchema, z.null()]).transform((app) => app ?? AppSchema.parse({})),
      )
      .refine((value) => Object.keys(value).length > 0, 'needs at least one app'),
  })
  .describe('sluice: the delivery repository’s environments and apps.');

export type SluiceFile = z.output<typeof SluiceYaml>;
