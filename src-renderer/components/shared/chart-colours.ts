/** The colours of the tokens for what is drawn on a canvas. Read inside an effect or a derived value they follow the theme. */
import { createSubscriber } from 'svelte/reactivity'

export type ChartColours = {
  readonly ink: string
  readonly quiet: string
  readonly line: string
  readonly surface: string
  readonly accent: string
  readonly good: string
  readonly bad: string
  readonly warn: string
  readonly series: readonly string[]
  readonly reward: { readonly low: string; readonly middle: string; readonly high: string }
}

const followTheme = createSubscriber((update) => {
  const observer = new MutationObserver(update)
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  return () => observer.disconnect()
})

export function chartColours(): ChartColours {
  followTheme()
  const tokens = getComputedStyle(document.documentElement)
  const read = (name: string): string => tokens.getPropertyValue(`--${name}`).trim()
  return {
    ink: read('ink'),
    quiet: read('quiet'),
    line: read('line'),
    surface: read('surface'),
    accent: read('accent'),
    good: read('good'),
    bad: read('bad'),
    warn: read('warn'),
    series: Array.from({ length: 8 }, (_, index) => read(`series-${index + 1}`)),
    reward: { low: read('reward-low'), middle: read('reward-middle'), high: read('reward-high') },
  }
}

/** A colour on the scale of rewards; `share` from 0, the worst, to 1. */
export function rewardColour(share: number, { low, middle, high }: ChartColours['reward']): string {
  return share < 0.5 ? mix(low, middle, share * 2) : mix(middle, high, (share - 0.5) * 2)
}

/** With opacity, 0 to 1. */
export const translucent = (colour: string, opacity: number): string =>
  `rgb(${channels(colour).join(' ')} / ${opacity})`

function mix(from: string, to: string, share: number): string {
  const end = channels(to)
  const mixed = channels(from).map((value, index) => Math.round(value + ((end[index] ?? 0) - value) * share))
  return `rgb(${mixed.join(', ')})`
}

/** Of #rgb or #rrggbb: the tokens are written so, minifiers shorten them. */
function channels(colour: string): number[] {
  const digits = colour.slice(1)
  const width = digits.length === 3 ? 1 : 2
  return [0, 1, 2].map((index) => {
    const part = digits.slice(index * width, (index + 1) * width)
    return Number.parseInt(width === 1 ? part + part : part, 16)
  })
}
