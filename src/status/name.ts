/**
 * Names of external job statuses. GitLab finds a status by its name, and a name equal to a CI job's is refused; the
 * prefix keeps them apart.
 */
const prefix = 'sync: ';

/** `sync: <environment>/<app>`, or `sync: <environment>/<app>/<cluster>`. */
export function statusName(environment: string, app: string, cluster?: string): string {
  return `${prefix}${[environment, app, ...(cluster === undefined ? [] : [cluster])].join('/')}`;
}

/** `sync: <environment>`, the one status of a commit that changes more pairs than `aggregateAbove`. */
export function aggregateName(environment: string): string {
  return `${prefix}${environment}`;
}

/** Pairs of one commit above which they share one status for each environment. */
export const aggregateAbove = 20;

/** Is it the name of a status of this environment, of whatever app and cluster? */
export function isStatusOf(environment: string, name: string): boolean {
  return name === aggregateName(environment) || name.startsWith(`${aggregateName(environment)}/`);
}
