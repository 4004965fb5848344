import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One entry of a CycloneDX list of components (cyclonedx.org/docs/1.5/json). */
export interface Component {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl: string;
  readonly 'bom-ref'?: string;
}

/** What `npm sbom --sbom-format cyclonedx` prints; with `--omit=dev` it would leave out what development needs too. */
export interface NpmSbom {
  readonly metadata: { readonly component: Readonly<Record<string, unknown>> } & Readonly<Record<string, unknown>>;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** A program that came as a file, with the module that it is built from. */
interface Tool {
  readonly name: string;
  readonly purl: string;
  readonly ask: readonly string[];
}

const tools: readonly Tool[] = [
  { name: 'oras', purl: 'pkg:golang/oras.land/oras', ask: ['version'] },
  { name: 'kustomize', purl: 'pkg:golang/sigs.k8s.io/kustomize/kustomize/v5', ask: ['version'] },
  { name: 'cosign', purl: 'pkg:golang/github.com/sigstore/cosign/v3', ask: ['version'] },
  { name: 'helm', purl: 'pkg:golang/helm.sh/helm/v3', ask: ['version', '--short'] },
  { name: 'kubeconform', purl: 'pkg:golang/github.com/yannh/kubeconform', ask: ['-v'] },
];

/** Format of `dpkg-query --show` that `debianComponents` reads. */
export const dpkgFormat = String.raw`${'${Package}'}\t${'${Version}'}\t${'${Architecture}'}\n`;

/** Debian packages from `dpkg-query`'s lines, as package URLs (github.com/package-url/purl-spec, `deb`). */
export function debianComponents(lines: string, distribution: string): readonly Component[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', version = '', architecture = ''] = line.split('\t');
      const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${distribution}`;
      return { type: 'library', name, version, purl, 'bom-ref': purl };
    });
}

/** An `npm sbom` less what is not in the bundle; `packages` are `name@version`. */
export function bundledSbom(npm: NpmSbom, packages: readonly string[]): NpmSbom {
  const root = npm.metadata.component['bom-ref'];
  const components = npm.components.filter(({ name, version }) => packages.includes(`${name}@${version}`));
  const kept = new Set([root, ...components.map((each) => each['bom-ref'])]);
  const dependencies = npm.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map((each) => ({ ...each, dependsOn: (each.dependsOn ?? []).filter((ref) => kept.has(ref)) }));
  return { ...npm, components, dependencies };
}

/** One document for the whole image. Without time and serial number: the same content gives the same bytes. */
export function imageSbom(
  npm: NpmSbom,
  others: readonly Component[],
  version: string,
): Readonly<Record<string, unknown>> {
  const purl = `pkg:oci/sluice@${version}`;
  const { component } = npm.metadata;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'container', name: 'sluice', version, purl, 'bom-ref': purl } },
    components: [component, ...npm.components, ...others].toSorted((a, b) =>
      String(a['purl']) < String(b['purl']) ? -1 : 1,
    ),
    dependencies: [
      { ref: purl, dependsOn: [component['bom-ref'], ...others.map((each) => each['bom-ref'])] },
      ...npm.dependencies,
    ],
  };
}

/** The programs that stand in /usr/local/bin, with what they say of their version. */
function toolComponents(): readonly Component[] {
  const node: Component = {
    type: 'application',
    name: 'node',
    version: process.versions.node,
    purl: `pkg:github/nodejs/node@v${process.versions.node}`,
    'bom-ref': 'node',
  };
  const found = tools.filter(({ name }) => existsSync(join('/usr/local/bin', name)));
  return [
    node,
    ...found.map(({ name, purl, ask }) => {
      const said = execFileSync(join('/usr/local/bin', name), [...ask], { encoding: 'utf8' });
      const version = /v?(\d+\.\d+\.\d+[-+.\w]*)/.exec(said)?.[1];
      const component = { type: 'application', name, purl: version ? `${purl}@v${version}` : purl, 'bom-ref': name };
      return version ? { ...component, version } : component;
    }),
  ];
}

/** In the image: joins the npm packages of the bundle, Debian's packages and the tools. */
if (import.meta.main) {
  const [npm, packages, version, output] = process.argv.slice(2);
  if (npm === undefined || packages === undefined || version === undefined || output === undefined)
    throw new Error('usage: node sbom.ts NPM_SBOM PACKAGES VERSION OUTPUT');
  const [, distribution = 'debian'] = /^VERSION_ID="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  const lines = execFileSync('dpkg-query', ['--show', `--showformat=${dpkgFormat}`], { encoding: 'utf8' });
  const others = [...debianComponents(lines, `debian-${distribution}`), ...toolComponents()];
  const bundled = bundledSbom(
    JSON.parse(readFileSync(npm, 'utf8')) as NpmSbom,
    JSON.parse(readFileSync(packages, 'utf8')) as string[],
  );
  const document = imageSbom(bundled, others, version);
  writeFileSync(output, `${JSON.stringify(document, null, 1)}\n`, { mode: 0o644 });
}
