import fc from 'fast-check'
import { expect, test } from 'vitest'
import { href, parseRoute, screenOf } from '../../src-shared/routes.ts'

test('an address is made of segments and a query', () => {
  expect([
    href(),
    href('runs', 'r 1/2'),
    href('compare', { a: ['r/k', 'r/l'], b: undefined }),
    href({ recipe: '' }),
  ]).toEqual(['#/', '#/runs/r%201%2F2', '#/compare?a=r%2Fk&a=r%2Fl', '#/?recipe='])
})

test('whatever stands in an id or a query comes back', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 })
  fc.assert(
    fc.property(fc.array(text), fc.array(text), (segments, values) => {
      const { path, query } = parseRoute(href(...segments, { a: values }))
      expect([path, query.getAll('a')]).toEqual([segments, values])
    }),
  )
})

test('an address typed by hand is read as far as it goes', () => {
  expect(['', '#', '#/', '#//runs//r1/', '#/runs/100%'].map((hash) => parseRoute(hash).path)).toEqual([
    [],
    [],
    [],
    ['runs', 'r1'],
    ['runs', '100%'],
  ])
})

test('every address has one screen, and an unknown one leads nowhere', () => {
  const screens = (...addresses: readonly string[]): string[] =>
    addresses.map((address) => screenOf(parseRoute(address).path))
  expect(
    screens('#/', '#/runs/r1', '#/runs/r1/candidates/c1', '#/minds/m1', '#/adapters?run=r1', '#/help'),
  ).toEqual(['home', 'run', 'candidate', 'mind', 'adapters', 'help'])
  expect(
    screens('#/runs', '#/home', '#/runs/r1/c1', '#/runs/r1/candidates', '#/help/me', '#/constructor'),
  ).toEqual(Array(6).fill('nowhere'))
})
