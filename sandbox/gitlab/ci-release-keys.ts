import { isMap } from './ci-yaml.ts';
import type { Config } from './ci-yaml.ts';
import type { Profile } from './handle.ts';

/** Keys that a release of GitLab does not know yet, in its words (lib/gitlab/ci/config/entry of GitLab). */
export function unknownKeys(config: Config, profile: Profile): readonly string[] {
  if (profile !== '17.11') return [];
  return Object.entries(config).flatMap(([name, job]) => {
    if (!isMap(job)) return [];
    const faults: string[] = [];
    const environment = job['environment'];
    const kubernetes = isMap(environment) ? environment['kubernetes'] : undefined;
    // `dashboard` came with 18.4.
    if (isMap(kubernetes) && 'dashboard' in kubernetes)
      faults.push(`jobs:${name}:environment:kubernetes config contains unknown keys: dashboard`);
    const trigger = job['trigger'];
    // `strategy: mirror` came with 18.2.
    if (isMap(trigger) && trigger['strategy'] === 'mirror')
      faults.push(`jobs:${name}:trigger strategy should be depend`);
    return faults;
  });
}
