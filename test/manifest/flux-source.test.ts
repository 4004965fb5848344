import { describe, expect, test } from 'vitest';
import { edited, faultOf, planned, sha } from './edited.ts';

const oci = (ref: string): string =>
  `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: app\nspec:\n  url: oci://ghcr.io/x/manifests/app\n  ref:\n${ref}`;
const git = (ref: string): string =>
  `apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: app\nspec:\n  url: https://git.example.com/x/app.git\n  ref:\n${ref}`;

describe('OCIRepository', () => {
  test.each([
    ['    tag: v1\n', 'ghcr.io/x/manifests/app:v2', '    tag: v2\n'],
    ['    semver: 1.x\n', 'ghcr.io/x/manifests/app:1.2.3', '    semver: 1.2.3\n'],
    [`    digest: ${sha('0')}\n`, `ghcr.io/x/manifests/app@${sha('a')}`, `    digest: ${sha('a')}\n`],
    ['    tag: v1\n', `ghcr.io/x/manifests/app:v2@${sha('a')}`, `    tag: v2\n    digest: ${sha('a')}\n`],
  ])('%j', (before, image, after) => {
    expect(edited(oci(before), { image })).toBe(oci(after));
    expect(edited(oci(after), { image })).toBe(oci(after));
  });

  test('a tag alone removes the digest, which would go before it', () => {
    const old = `    tag: v1\n    digest: ${sha('0')}\n`;
    expect(edited(oci(old), { image: 'ghcr.io/x/manifests/app:v2' })).toBe(oci('    tag: v2\n'));
    expect(edited(oci(`    digest: ${sha('0')}\n    tag: v1\n`), { image: 'ghcr.io/x/manifests/app:v2' })).toBe(
      oci('    tag: v2\n'),
    );
    expect(faultOf(() => edited(oci(`    digest: ${sha('0')}\n`), { image: 'ghcr.io/x/manifests/app:v2' })).code).toBe(
      'edit_refused',
    );
  });
});

describe('GitRepository', () => {
  test.each([
    ['    tag: v1\n', 'git.example.com/x/app:v2', '    tag: v2\n'],
    ['    branch: main\n', 'git.example.com/x/app:release', '    branch: release\n'],
    [
      `    branch: main\n    commit: ${'0'.repeat(40)}\n`,
      `git.example.com/x/app:${'1a'.repeat(20)}`,
      `    branch: main\n    commit: ${'1a'.repeat(20)}\n`,
    ],
  ])('%j', (before, image, after) => {
    expect(edited(git(before), { image })).toBe(git(after));
  });

  test('a commit in force is not set to a tag', () => {
    expect(
      faultOf(() => edited(git(`    commit: ${'0'.repeat(40)}\n`), { image: 'git.example.com/x/app:v2' })).code,
    ).toBe('edit_refused');
  });
});

describe('charts', () => {
  const release =
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app\nspec:\n  chart:\n    spec:\n      chart: podinfo\n      version: "6.0.0" # chart\n      sourceRef: {kind: HelmRepository, name: podinfo-charts}\n';
  const chart =
    'apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmChart\nmetadata: {name: c}\nspec:\n  chart: podinfo\n  version: 6.x\n  sourceRef: {kind: HelmRepository, name: podinfo-charts}\n';

  test.each(['podinfo-charts/podinfo:6.1.0', 'podinfo:6.1.0'])('%s', (image) => {
    expect(edited(release, { image })).toBe(release.replace('6.0.0', '6.1.0'));
    expect(edited(chart, { image })).toBe(chart.replace('6.x', '6.1.0'));
  });

  test('the path of the repository with the chart’s name', () => {
    const repository =
      'apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: podinfo-charts}\nspec: {type: oci, url: "oci://ghcr.io/x/charts"}\n';
    const change = planned({ 'r.yaml': release, 's.yaml': repository }, { image: 'ghcr.io/x/charts/podinfo:6.1.0' });
    expect(change.targets).toMatchObject([{ file: 'r.yaml', kind: 'chart', after: '6.1.0' }]);
    expect(faultOf(() => planned({ 'r.yaml': release }, { image: 'ghcr.io/x/charts/podinfo:6.1.0' })).code).toBe(
      'target_missing',
    );
  });

  test('the bare name of a chart gives way to an image of that name', () => {
    const pod = 'kind: Pod\nspec: {containers: [{image: podinfo:1}]}\n';
    const change = planned({ 'r.yaml': release, 'p.yaml': pod }, { image: 'podinfo:2' });
    expect(change.targets.map(({ file }) => file)).toEqual(['p.yaml']);
  });

  test('a chart has no digest', () => {
    expect(faultOf(() => edited(release, { image: `podinfo@${sha('a')}` })).code).toBe('edit_refused');
  });
});
