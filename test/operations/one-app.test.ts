import { expect, test } from 'vitest';
import { parseImageFlag } from '../../src/app/image.ts';
import { layoutOfApp } from '../../src/operations/init/one-app.ts';
import { layouts } from './init-layouts.ts';

const filesOf = (name: string) => new Map(Object.entries(layouts.find((one) => one.name.startsWith(name))!.files));
const rootsOf = (files: ReadonlyMap<string, string>, app: string, image: string) => {
  const { apps, environments } = layoutOfApp(files, app, parseImageFlag(image));
  expect(apps.map(({ name }) => name)).toEqual([app]);
  expect(new Set(environments)).toEqual(new Set(apps[0]!.roots.map(({ environment }) => environment)));
  return apps[0]!.roots.map(({ path }) => path);
};

test('the app of the name, whatever its image, with its own environments alone', () => {
  const files = filesOf('apps/<app>/<environment>');
  expect(rootsOf(files, 'api', 'elsewhere/web:2')).toEqual(['apps/api/staging']);
});

test('where no folder has the name: the app whose roots reach a file with the image', () => {
  const files = filesOf('overlays/<environment>');
  const shared = new Map([...files].map(([path, text]) => [`services/${path}`, text] as const));
  const both = new Map([...shared, ...filesOf('apps/<app>/<environment>')]);
  const image = 'registry.example.com/shop/delivery:2';
  expect(rootsOf(both, 'front', image)).toEqual(['services/overlays/live', 'services/overlays/qa']);
});

test('a longer name with the image in it is another image; the fault names the apps there are', () => {
  const files = filesOf('apps/<app>/<environment>');
  expect(() => layoutOfApp(files, 'front', parseImageFlag('registry.example.com/shop/we:2'))).toThrow(
    expect.objectContaining({ code: 'target_missing', hint: expect.stringContaining('They tell of api, web.') }),
  );
  expect(() => layoutOfApp(new Map(), 'front', parseImageFlag('web:2'))).toThrow(
    expect.objectContaining({ code: 'target_missing' }),
  );
});
