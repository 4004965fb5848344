import { secret, type Secret } from '../../src/secret.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Names of variables that hold credentials, whoever set them: their values never reach any output. */
const CREDENTIAL = /(TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL|PRIVATE_KEY|SIGNING_KEY|API_KEY|AUTH_CONFIG)/;

/** Credentials of the environment, and the values that the redaction gate must know. */
export interface Credentials {
  /** The value of a variable, or the content of the file that it names (GitLab's file variables); undefined where unset or empty. */
  of(variable: string): Secret | undefined;
  /** Every value that must not be printed, as far as known by now. */
  readonly known: ReadonlySet<string>;
  /** Tells the gate of one more. */
  learn(value: string): void;
}

/** `readFile` answers the text of a file, or undefined where it is none. */
export function readCredentials(env: Environment, readFile: (path: string) => string | undefined): Credentials {
  const known = new Set<string>();
  const learn = (value: string) => {
    if (value.trim().length >= 6) known.add(value.trim());
  };
  const valueOf = (variable: string) => {
    const raw = env[variable];
    if (raw === undefined || raw.trim() === '') return undefined;
    const content = raw.startsWith('/') && !raw.includes('\n') ? readFile(raw.trim()) : undefined;
    return (content ?? raw).trim();
  };
  for (const name of Object.keys(env)) {
    if (!CREDENTIAL.test(name.toUpperCase())) continue;
    const value = valueOf(name);
    if (value !== undefined && !/^(true|false|\d{1,5})$/.test(value)) learn(value);
  }
  return {
    known,
    learn,
    of(variable) {
      const value = valueOf(variable);
      if (value === undefined || value === '') return undefined;
      learn(value);
      return secret(value);
    },
  };
}
