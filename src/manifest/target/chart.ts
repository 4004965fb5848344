import { isMap } from 'yaml';
import type { Step } from '../path.ts';
import { heldBy, resolve, textOf } from '../document.ts';
import type { ManifestDocument, ManifestFile, YAMLMap } from '../document.ts';
import { isVariable, labelOf, offsetOf } from '../slot.ts';
import type { ImageSlot } from '../slot.ts';

/**
 * Chart version of HelmRelease (`spec.chart.spec.version`) and HelmChart (`spec.version`). A chart answers to
 * `<source name>/<chart>` and, where nothing else holds that name, to the bare chart name and to the repository's path
 * with it.
 */
export function findCharts(_file: ManifestFile, document: ManifestDocument): readonly ImageSlot[] {
  if (!isMap(document.root)) return [];
  const below = (map: YAMLMap | null, key: string): YAMLMap | null => {
    const node = map && resolve(document, heldBy(document, map, key)?.node);
    return isMap(node) ? node : null;
  };
  const spec = below(document.root, 'spec');
  const chart =
    document.kind === 'HelmChart' ? spec : document.kind === 'HelmRelease' ? below(below(spec, 'chart'), 'spec') : null;
  if (!chart) return [];
  const text = (map: YAMLMap | null, key: string): string =>
    map ? textOf(resolve(document, heldBy(document, map, key)?.node)) : '';
  const name = text(chart, 'chart');
  const source = text(below(chart, 'sourceRef'), 'name');
  if (name === '') return [];
  const keys = document.kind === 'HelmChart' ? ['spec', 'version'] : ['spec', 'chart', 'spec', 'version'];
  const path = labelOf(
    document,
    keys.map((key): Step => ({ type: 'key', key })),
  );
  return [
    {
      kind: 'chart',
      document,
      host: chart,
      names: [`${source}/${name}`, name],
      offset: offsetOf(chart),
      path,
      write: (change) => {
        if (change.newName !== undefined || change.digest !== undefined || change.tag === undefined) {
          return 'a chart has a version and neither digest nor new name';
        }
        const held = heldBy(document, chart, 'version');
        const before = text(chart, 'version');
        if (isVariable(before)) return `the version holds a variable: ${before}`;
        if (held) return [{ type: 'set', document, node: held.node, pair: held.pair, path, before, after: change.tag }];
        const beside = heldBy(document, chart, 'chart')!.pair;
        return [{ type: 'add', document, map: chart, beside, key: 'version', path, before, after: change.tag }];
      },
    },
  ];
}
