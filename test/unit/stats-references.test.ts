/**
 * Statistics against independent implementations. The expected numbers are those of SciPy 1.17.1 and statsmodels 0.15.0
 * on the same values (for the BCa interval: on the same resamples), to 1e-6 and mostly further.
 */
import { describe, expect, test } from 'vitest'
import { uniformFloat } from '../../src-shared/random.ts'
import { bestOfK } from '../../src-shared/stats/best-of-k.ts'
import { bcaMean, bootstrapMean } from '../../src-shared/stats/bootstrap.ts'
import { normalCdf, normalQuantile } from '../../src-shared/stats/normal.ts'
import { passagesNeeded, visibleDifference } from '../../src-shared/stats/power.ts'
import { correctedShare, kappaOf, wilsonInterval } from '../../src-shared/stats/proportions.ts'
import {
  benjaminiHochberg,
  holm,
  mcNemarTest,
  permutationTest,
  signFlipTest,
} from '../../src-shared/stats/tests-of-differences.ts'

const near = (values: readonly number[], expected: readonly number[], digits = 9): void =>
  values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, digits))

describe('as SciPy and statsmodels have it', () => {
  test('the normal distribution (scipy.stats.norm)', () => {
    near(
      [-3, -1.96, 0.3, 2.5, 4].map(normalCdf),
      [
        0.0013498980316300933, 0.024997895148220435, 0.6179114221889526, 0.9937903346742238,
        0.9999683287581669,
      ],
      14,
    )
    expect(normalCdf(-8) / 6.22096057427174e-16).toBeCloseTo(1, 10)
    near(
      [1e-9, 0.001, 0.025, 0.3, 0.975].map(normalQuantile),
      [-5.9978070150076865, -3.090232306167813, -1.9599639845400545, -0.5244005127080409, 1.959963984540054],
      11,
    )
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity])
    expect(() => normalQuantile(1.1)).toThrow(RangeError)
  })

  test('percentile and BCa intervals (numpy.quantile, scipy.stats.bootstrap)', () => {
    const skewed = [0.02, 0.11, 0.15, 0.21, 0.3, 0.34, 0.5, 0.75, 1.2, 2.9]
    const percentile = bootstrapMean(skewed, 7)
    near([percentile.mean, percentile.low, percentile.high], [0.648, 0.239, 1.214])
    const bca = bcaMean(skewed, 7)
    near([bca.mean, bca.low, bca.high], [0.648, 0.3085777810786336, 1.4738696140931369])
  })

  test('Wilson intervals (statsmodels proportion_confint)', () => {
    const cases = [
      [5, 974, 0.0021946453703537505, 0.011960470160733813],
      [162, 974, 0.14425906011678366, 0.19101150533467579],
      [0, 20, 0, 0.1611251580528194],
      [17, 17, 0.8156818649911481, 1],
      [1, 3, 0.06149194472039626, 0.7923403991979523],
    ] as const
    for (const [successes, total, low, high] of cases) {
      const interval = wilsonInterval(successes, total)
      near([interval.share, interval.low, interval.high], [successes / total, low, high])
    }
  })

  test('corrections for several tests (statsmodels multipletests)', () => {
    const p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04]
    near(holm(p), [0.05, 0.12, 0.12, 0.03, 0.2, 0.12])
    near(benjaminiHochberg(p), [0.03, 0.048, 0.048, 0.03, 0.2, 0.048])
  })

  test('McNemar, exact (statsmodels mcnemar)', () => {
    near(
      [mcNemarTest(12, 3), mcNemarTest(0, 6), mcNemarTest(40, 22), mcNemarTest(0, 0)],
      [0.03515625, 0.03125, 0.030015864349067285, 1],
    )
  })

  test('sign flips of pairs, exact; permutations of groups, drawn (scipy.stats.permutation_test)', () => {
    expect(signFlipTest([0.2, -0.1, 0.4, 0.35, 0, 0.15, -0.05, 0.3, 0.25], 1)).toBeCloseTo(0.0390625, 9)
    const p = permutationTest([0.1, 0.5, 0.3, 0.8, 0.6, 0.4], [0.2, 0.1, 0.05, 0.3, 0.25, 0.15], 1)
    expect(Math.abs(p - 0.032467532467532464)).toBeLessThan(4 * Math.sqrt((0.0325 * 0.9675) / 20_000))
  })

  test('kappa with its interval (statsmodels cohens_kappa)', () => {
    const found = kappaOf({ bothCorrect: 45, onlyFirst: 5, onlySecond: 10, bothIncorrect: 40 })!
    near([found.kappa, found.low, found.high], [0.7, 0.560732180365726, 0.8392678196342739])
    expect(kappaOf({ bothCorrect: 9, onlyFirst: 0, onlySecond: 0, bothIncorrect: 0 })).toBe(null)
  })

  test('the difference that can be seen: (z₀.₉₇₅ + z₀.₈) standard errors', () => {
    const design = { passages: 200, questions: 5, accuracy: 0.5, correlation: 0.5, trials: 1 }
    expect(visibleDifference(design)).toBeCloseTo(0.04429695174148298, 9)
    expect(passagesNeeded(visibleDifference(design), Math.sqrt((2 * 0.25 * 0.5) / 5))).toBe(200)
  })
})

test('an accuracy is corrected for a judge of known faults (Rogan and Gladen 1978)', () => {
  // The judge finds 90 of 100 correct answers and lets 20 of 100 incorrect ones pass.
  const table = { bothCorrect: 90, onlySecond: 10, onlyFirst: 20, bothIncorrect: 80 }
  expect(correctedShare(0.5 * 0.9 + 0.5 * 0.2, table)).toBeCloseTo(0.5, 12)
  expect(correctedShare(0.5, { bothCorrect: 5, onlyFirst: 5, onlySecond: 5, bothIncorrect: 5 })).toBe(null)
})

test('the best of k is judged by trials that did not choose it', () => {
  const groups = [
    [
      [1, 0, 0],
      [0, 1, 1],
    ],
    [
      [0.5, 0.5, 0.5],
      [0.5, 0.5, 0.5],
    ],
  ]
  const found = bestOfK(groups)!
  // Group 1, judge 0: the others say 0 and 1, the second is taken and gets 0; judges 1 and 2: a tie, the first gets 0.
  expect(found).toEqual({ k: 2, inSample: (2 / 3 + 0.5) / 2, crossFitted: 0.25, mean: 0.5, tiedGroups: 1 })
  expect(bestOfK([[[1], [0]]])).toMatchObject({ inSample: 1, crossFitted: null })
  expect(bestOfK([[[1, 1]]])).toBe(null)
})

describe('95 % intervals hold the truth in 93 to 97 of 100 draws', () => {
  const draws = 2000
  const passages = 60

  /** Accuracies of five questions a passage, whose difficulty differs from passage to passage; the mean is 0.4. */
  function accuracies(seed: number): number[] {
    const draw = uniformFloat(seed, 'coverage')
    return Array.from({ length: passages }, () => {
      const difficulty = 0.8 * draw()
      return (
        Array.from({ length: 5 }, () => Number(draw() < difficulty)).reduce((sum, each) => sum + each, 0) / 5
      )
    })
  }
  const coverage = (interval: (seed: number) => { low: number; high: number }, truth: number): number =>
    Array.from({ length: draws }, (_, seed) => interval(seed)).filter(
      ({ low, high }) => low <= truth && truth <= high,
    ).length / draws

  test.each([
    ['percentile', (seed: number) => bootstrapMean(accuracies(seed), seed, 1000), 0.4],
    ['BCa', (seed: number) => bcaMean(accuracies(seed), seed, 1000), 0.4],
    ['Wilson', (seed: number) => wilsonOf(seed), 0.3],
  ] as const)('%s', (_, interval, truth) => {
    const share = coverage(interval, truth)
    expect(share).toBeGreaterThanOrEqual(0.93)
    expect(share).toBeLessThanOrEqual(0.97)
  })

  function wilsonOf(seed: number): { low: number; high: number } {
    const draw = uniformFloat(seed, 'wilson')
    return wilsonInterval(Array.from({ length: 137 }, () => Number(draw() < 0.3)).filter(Boolean).length, 137)
  }

  test('a difference without an effect is called significant in about 5 of 100', () => {
    const alarms = Array.from({ length: 400 }, (_, seed) => {
      const [a, b] = [accuracies(seed), accuracies(seed + 100_000)]
      const differences = a.map((value, passage) => value - b[passage]!)
      return bootstrapMean(differences, seed, 1000)
    }).filter(({ low, high }) => low > 0 || high < 0).length
    expect(alarms / 400).toBeGreaterThan(0.02)
    expect(alarms / 400).toBeLessThan(0.09)
  })
})
