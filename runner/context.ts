import type { Config } from '../src/config/config.ts';
import type { Fault } from '../src/fault.ts';
import type { Secret } from '../src/secret.ts';
import type { Clock } from '../src/systems/clock.ts';
import type { Files } from '../src/systems/files.ts';
import type { DeliveryGit } from '../src/systems/git-remote.ts';
import type { GitRepository } from '../src/systems/git.ts';
import type { GitLab } from '../src/systems/gitlab.ts';
import type { Http } from '../src/systems/http.ts';
import type { ClusterInspection, GitLabInspection, RegistryInspection } from '../src/systems/inspection.ts';
import type { Kustomize } from '../src/systems/kustomize.ts';
import type { Processes } from '../src/systems/process.ts';
import type { Registry } from '../src/systems/registry.ts';
import type { Signer } from '../src/systems/signer.ts';

/** Flags and arguments after flag > environment > GitLab's predefined variable > default. */
export interface Values {
  /** Positional arguments. */
  readonly arguments: readonly string[];
  boolean(name: string): boolean;
  string(name: string): string | undefined;
  list(name: string): readonly string[];
  /** Milliseconds. */
  duration(name: string): number | undefined;
  integer(name: string): number | undefined;
  /** Was it set by flag or SLUICE_ variable (not by predefined variable or default)? */
  given(name: string): boolean;
  /** As `string`; Fault `usage` that names flag and variable where it is missing. */
  required(name: string): string;
}

/** What GitLab says about the job that runs (predefined variables), each undefined outside a job. */
export interface JobInfo {
  readonly serverUrl: string | undefined;
  readonly apiUrl: string | undefined;
  readonly project: string | undefined;
  readonly projectId: number | undefined;
  readonly commit: string | undefined;
  readonly ref: string | undefined;
  readonly defaultBranch: string | undefined;
  readonly pipelineId: number | undefined;
  /** The parent's pipeline id in a child pipeline. */
  readonly parentPipelineId: number | undefined;
  readonly pipelineSource: string | undefined;
  /** Milliseconds since the epoch. */
  readonly pipelineCreatedAt: number | undefined;
  readonly jobId: number | undefined;
  readonly jobUrl: string | undefined;
  readonly environment: string | undefined;
  readonly registryImage: string | undefined;
  readonly registry: string | undefined;
  readonly protectedRef: boolean | undefined;
  readonly mergeRequestIid: number | undefined;
  readonly deployFreeze: boolean;
  /** Milliseconds since the epoch at which the job must have ended its script, or undefined. */
  readonly deadline: number | undefined;
}

/** Progress for people, on stderr. Everything passes the redaction gate. */
export interface Reporter {
  /** A step has begun; in GitLab a collapsible section until the next step. */
  step(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  /** Only with --verbose. */
  detail(text: string): void;
}

/** Everything a command may touch. Systems are built on first use, by runner/compose.ts. */
export interface Context {
  readonly values: Values;
  readonly job: JobInfo;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly files: Files;
  readonly processes: Processes;
  readonly http: Http;
  /** Aborted by SIGINT and SIGTERM (reason: Fault `interrupted`/`terminated`) . */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch: now + --timeout, else the job's limit less 90 s, else 10 minutes. */
  readonly deadline: number;
  /** Aborts `graceMs` after the deadline, with the Fault that `why` makes then. */
  late(graceMs: number, why: () => Fault): AbortSignal;
  /** sluice.yaml; Fault `config_missing`, `config_invalid`. */
  config(): Promise<Config>;
  /** A credential by variable name (value, or path of a file variable), registered for redaction. */
  secret(variable: string): Secret | undefined;
  /** Does a text hold a credential of the environment, in any form that output is searched for? Short ones do not count. */
  holdsCredential(text: string): boolean;
  /** Any other variable of the environment (never a credential). */
  variable(name: string): string | undefined;
  /** SLUICE_GITLAB_TOKEN; Fault `token_missing`. */
  gitlab(): Promise<GitLab>;
  /** The application project's own token SLUICE_GITLAB_TOKEN_<APP>, else the common one. */
  gitlabFor(app: string): Promise<GitLab>;
  /** With the job token, where there is one. */
  gitlabJob(): Promise<GitLab | null>;
  repository(folder: string): Promise<GitRepository>;
  /** Clone, commit and push over the network, SLUICE_GIT_TOKEN. */
  deliveryGit(): Promise<DeliveryGit>;
  registry(): Promise<Registry>;
  /** cosign with the key in SLUICE_COSIGN_KEY; Fault `token_missing`. */
  signer(): Promise<Signer>;
  kustomize(): Promise<Kustomize>;
  /** By kubeconfig context; Fault `context_missing`. `name` is the cluster's in sluice.yaml. */
  cluster(name: string, context: string): Promise<ClusterInspection>;
  /** Deeper looks, for doctor. */
  readonly inspect: {
    /** GitLab at an address with a token. */
    gitlab(url: string, token: Secret, kind: 'private' | 'job'): Promise<GitLabInspection>;
    registry(): Promise<RegistryInspection>;
    /** Names of the kubeconfig's contexts; Fault `context_missing` where there is no kubeconfig. */
    contexts(): Promise<readonly string[]>;
    /** Tells the redaction gate of a credential that was found on the way. */
    conceal(value: string): void;
  };
}
