import { readWindow } from './window.ts';
import { nearestName } from './nearest.ts';
import type { SluiceFile } from './schema.ts';

/** A broken rule that spans several places of the file. */
export interface BrokenRule {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Rules across fields, beyond the grammar. */
export function checkRules(file: SluiceFile): readonly BrokenRule[] {
  return [...promotionChain(file), ...artifactNames(file), ...clusterNames(file), ...receivers(file), ...windows(file)];
}

function promotionChain({ environments }: SluiceFile): BrokenRule[] {
  return Object.entries(environments).flatMap(([name, { promote_from: from }]) => {
    if (from === undefined) return [];
    const path = ['environments', name, 'promote_from'];
    if (environments[from] === undefined) {
      const near = nearestName(from, Object.keys(environments));
      return [{ path, message: `there is no environment ${from}${near ? `; did you mean ${near}?` : ''}` }];
    }
    const seen = new Set([name]);
    for (let step: string | undefined = from; step !== undefined; step = environments[step]?.promote_from) {
      if (seen.has(step)) return [{ path, message: 'the promotion chain runs in a circle' }];
      seen.add(step);
    }
    return [];
  });
}

function artifactNames({ apps }: SluiceFile): BrokenRule[] {
  const owner = new Map<string, string>();
  return Object.entries(apps).flatMap(([app, { artifacts }]) =>
    (artifacts ?? [{ name: app }]).flatMap(({ name }, index) => {
      const path = artifacts ? ['apps', app, 'artifacts', index, 'name'] : ['apps', app];
      if (name === 'ledger') return [{ path, message: 'the artifact name "ledger" is reserved' }];
      const other = owner.get(name);
      owner.set(name, app);
      return other === undefined
        ? []
        : [
            {
              path,
              message: `the artifact name ${name} is taken by ${other === app ? 'another artifact of this app' : `app ${other}`}`,
            },
          ];
    }),
  );
}

function clusterNames({ environments }: SluiceFile): BrokenRule[] {
  return Object.entries(environments).flatMap(([environment, { clusters }]) =>
    clusters.flatMap(({ name }, index) =>
      clusters.findIndex((other) => other.name === name) === index
        ? []
        : [
            {
              path: ['environments', environment, 'clusters', index, 'name'],
              message: `the cluster name ${name} is taken`,
            },
          ],
    ),
  );
}

function receivers({ environments }: SluiceFile): BrokenRule[] {
  return Object.entries(environments).flatMap(([environment, { clusters }]) =>
    clusters.flatMap(({ notify, receiver }, index) => {
      const path = ['environments', environment, 'clusters', index];
      if (notify?.some((way) => way === 'receiver' || way === 'oidc') && !receiver)
        return [{ path: [...path, 'notify'], message: 'needs `receiver` beside it' }];
      if (receiver && receiver.type !== 'generic-oidc' && receiver.secret_env === undefined)
        return [{ path: [...path, 'receiver'], message: `type ${receiver.type} needs \`secret_env\`` }];
      if (receiver?.type === 'generic-oidc' && receiver.url === undefined)
        return [
          {
            path: [...path, 'receiver'],
            message: 'type generic-oidc needs `url` (the service proxy eats the Authorization header)',
          },
        ];
      return [];
    }),
  );
}

function windows({ environments }: SluiceFile): BrokenRule[] {
  return Object.entries(environments).flatMap(([environment, { gates }]) =>
    (gates?.windows ?? []).flatMap((text, index) => {
      const read = readWindow(text);
      return 'fault' in read
        ? [{ path: ['environments', environment, 'gates', 'windows', index], message: read.fault }]
        : [];
    }),
  );
}
