import { expect, test } from 'vitest';
import { parseAssignment, parseValueFlag } from '../../src/app/value.ts';
import { faultOf } from '../manifest/edited.ts';

test.each([
  ['/spec/replicas=3', '/spec/replicas', '3'],
  ['a.b=c=d', 'a.b', 'c=d'],
  ['containers[name=api].image=x:1', 'containers[name=api].image', 'x:1'],
  ['a["k=v"].b=1', 'a["k=v"].b', '1'],
  ['a["k\\"]=v"].b=1', 'a["k\\"]=v"].b', '1'],
  ['=1.2.3', '', '1.2.3'],
  ['a=', 'a', ''],
])('%s', (text, path, value) => {
  expect(parseAssignment(text)).toEqual({ path, value });
});

test('FILE:PATH=VALUE', () => {
  expect(parseValueFlag('values.yaml:/a/b=x:y')).toEqual({ file: 'values.yaml', path: '/a/b', value: 'x:y' });
  expect(parseValueFlag('VERSION:=2')).toEqual({ file: 'VERSION', path: '', value: '2' });
});

test('anything else is a usage fault', () => {
  expect(faultOf(() => parseAssignment('a.b')).code).toBe('usage');
  expect(faultOf(() => parseAssignment('a[b=c'))).toMatchObject({
    code: 'usage',
    message: '"a[b=c", character 2: the bracket is not closed',
  });
  expect(faultOf(() => parseValueFlag('/a=b')).code).toBe('usage');
  expect(faultOf(() => parseValueFlag(':/a=b')).code).toBe('usage');
});
