/** The view of every screen, loaded when it is first needed, and its title. */
import type { Component } from 'svelte'
import type { Screen } from '../src-shared/routes.ts'
import type { ViewProps } from './state/router.svelte.ts'

type View = { readonly title: string; load(): Promise<{ readonly default: Component<ViewProps> }> }

export const views: Readonly<Record<Screen, View>> = {
  home: { title: 'Home', load: () => import('./views/HomeView.svelte') },
  run: { title: 'Run', load: () => import('./views/RunView.svelte') },
  candidate: { title: 'Self-edit', load: () => import('./views/CandidateView.svelte') },
  minds: { title: 'Minds', load: () => import('./views/MindsView.svelte') },
  mind: { title: 'Mind', load: () => import('./views/MindView.svelte') },
  adapters: { title: 'Adapters', load: () => import('./views/AdaptersView.svelte') },
  evidence: { title: 'Evidence', load: () => import('./views/EvidenceView.svelte') },
  compare: { title: 'Compare', load: () => import('./views/CompareView.svelte') },
  playground: { title: 'Playground', load: () => import('./views/PlaygroundView.svelte') },
  models: { title: 'Models', load: () => import('./views/ModelsView.svelte') },
  store: { title: 'Store', load: () => import('./views/StoreView.svelte') },
  settings: { title: 'Settings', load: () => import('./views/SettingsView.svelte') },
  help: { title: 'Help', load: () => import('./views/HelpView.svelte') },
  nowhere: { title: 'Not found', load: () => import('./views/NotFoundView.svelte') },
}
