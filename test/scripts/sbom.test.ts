import { expect, test } from 'vitest';
import { bundledSbom, debianComponents, imageSbom, type NpmSbom } from '../../scripts/sbom.ts';

const component = (name: string, version: string) => ({
  type: 'library',
  name,
  version,
  purl: `pkg:npm/${name}@${version}`,
  'bom-ref': `${name}@${version}`,
});
const npm: NpmSbom = {
  metadata: { component: component('sluice', '1.0.0') },
  components: [
    component('zod', '4.0.0'),
    component('vitest', '5.0.0'),
    component('ms', '1.0.0'),
    component('ms', '2.0.0'),
  ],
  dependencies: [
    { ref: 'sluice@1.0.0', dependsOn: ['zod@4.0.0', 'vitest@5.0.0'] },
    { ref: 'vitest@5.0.0', dependsOn: ['ms@1.0.0'] },
    { ref: 'zod@4.0.0', dependsOn: ['ms@2.0.0'] },
  ],
};

test('only what is in the bundle is listed, and no dependency leads nowhere', () => {
  const { components, dependencies } = bundledSbom(npm, ['zod@4.0.0', 'ms@2.0.0']);
  expect(components.map((each) => each['bom-ref'])).toEqual(['zod@4.0.0', 'ms@2.0.0']);
  expect(dependencies).toEqual([
    { ref: 'sluice@1.0.0', dependsOn: ['zod@4.0.0'] },
    { ref: 'zod@4.0.0', dependsOn: ['ms@2.0.0'] },
  ]);
});

test('Debian packages: epochs and pluses are escaped in package URLs, names and versions are as dpkg says', () => {
  const [first, second, ...more] = debianComponents(
    'git\t1:2.39.5-0+deb12u2\tamd64\nlibstdc++6\t12.2.0-14\tarm64\n',
    'debian-12',
  );
  expect(first).toMatchObject({
    name: 'git',
    version: '1:2.39.5-0+deb12u2',
    purl: 'pkg:deb/debian/git@1%3A2.39.5-0%2Bdeb12u2?arch=amd64&distro=debian-12',
  });
  expect(second!.purl).toBe('pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=arm64&distro=debian-12');
  expect(more).toEqual([]);
});

test('one document for the image: the same content gives the same bytes', () => {
  const others = debianComponents('git\t1\tamd64\n', 'debian-12');
  const document = imageSbom(npm, others, '1.2.3');
  expect(document).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 });
  expect(document).not.toHaveProperty('serialNumber');
  expect(JSON.stringify(document)).not.toContain('timestamp');
  const { components, dependencies } = document as { components: { purl: string }[]; dependencies: { ref: string }[] };
  expect(components).toHaveLength(6);
  expect(dependencies[0]).toEqual({ ref: 'pkg:oci/sluice@1.2.3', dependsOn: ['sluice@1.0.0', others[0]!['bom-ref']] });
  expect(JSON.stringify(imageSbom({ ...npm, components: npm.components.toReversed() }, others, '1.2.3'))).toBe(
    JSON.stringify(document),
  );
});
