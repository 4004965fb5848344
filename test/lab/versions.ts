import type { Followed } from '../../src/watch/verdict.ts';
import { hasApplied } from './flux-object.ts';
import type { Push } from './artifact-push.ts';
import type { Scene } from './scene.ts';
import type { LabStack } from './stack.ts';
import type { Watcher } from './watcher.ts';

/** A pushed version, as the watcher takes it. */
export interface Version extends Pick<Followed, 'wanted' | 'commit'> {
  readonly repository: string;
}

/** Versions of applications: each is pushed to `team/<name>` under a commit of its own. */
export function connectVersions(
  stage: () => { readonly stack: LabStack; readonly scene: Scene },
  watcher: () => Watcher,
) {
  let count = 0;
  const versions = {
    /** Pushes files under the followed tag, or another. */
    push: async (name: string, files: Push['files'], more: Partial<Push> = {}): Promise<Version> => {
      const commit = String(++count).padStart(40, '0');
      const { digest } = await stage().scene.push(`team/${name}`, files, {
        annotations: { 'org.opencontainers.image.revision': `main@sha1:${commit}` },
        ...more,
      });
      return { repository: `team/${name}`, wanted: digest, commit };
    },
    /** Puts a source and a Kustomization of this name that follow it. */
    follow: async (name: string, spec: object = {}): Promise<void> => {
      const { scene } = stage();
      await scene.put('OCIRepository', name, scene.ociSpec(`team/${name}`));
      await scene.put('Kustomization', name, scene.kustomizationSpec(name, spec));
    },
    /** Stands applied, and healthy where it waits, at a first version. */
    stand: async (name: string, files: Push['files'], spec: object = {}): Promise<Version> => {
      const first = await versions.push(name, files);
      await versions.follow(name, spec);
      await stage().scene.waitFor('Kustomization', name, hasApplied(first.wanted));
      return first;
    },
    /** The verdict on a version, and what led to it. */
    watch: (version: Version, options: Parameters<Watcher['watch']>[1] = {}) =>
      watcher().watch(watcher().followed(version), options),
  };
  return versions;
}
