import { ProcessFailure, type Processes } from './process.ts';
import type { Kustomize } from './kustomize.ts';

/** The kustomize CLI from the PATH. */
export function connectKustomize(options: { readonly processes: Processes }): Kustomize {
  return {
    async build(folder, signal) {
      const args = ['build', '--load-restrictor', 'LoadRestrictionsNone', '--', folder];
      try {
        const { text } = await options.processes.run('kustomize', args, { signal, timeoutMs: 120_000 });
        return { ok: true, yaml: text };
      } catch (error) {
        if (!(error instanceof ProcessFailure)) throw error;
        const warnings = /^# Warning: .*$/gm;
        return { ok: false, error: error.stderr.replaceAll(warnings, '').replaceAll(`${folder}/`, '').trim() };
      }
    },
  };
}
