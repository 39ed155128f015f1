/** Light or dark: what the person chose, kept in this browser, or what the system says. */
import { MediaQuery } from 'svelte/reactivity'

export const themeChoices = ['system', 'light', 'dark'] as const
export type ThemeChoice = (typeof themeChoices)[number]
export type Theme = { choice: ThemeChoice; readonly shown: 'light' | 'dark' }

const storageKey = 'selkie.theme'

/** The caller shows `shown` as the attribute data-theme of the document. */
export function createTheme(storage: Storage): Theme {
  const prefersDark = new MediaQuery('(prefers-color-scheme: dark)')
  const kept = storage.getItem(storageKey)
  let choice = $state<ThemeChoice>(themeChoices.find((one) => one === kept) ?? 'system')
  return {
    get choice() {
      return choice
    },
    set choice(next) {
      choice = next
      storage.setItem(storageKey, next)
    },
    get shown() {
      if (choice !== 'system') return choice
      return prefersDark.current ? 'dark' : 'light'
    },
  }
}
