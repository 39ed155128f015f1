/**
 * What each method does beside answering, for hosts that may only show: `reads` looks at what is there, `computes`
 * keeps the machine busy or goes to the network, `changes` leaves something behind. A method without its line does not
 * compile.
 */
import type { MethodName } from './contract.ts'

export type MethodEffect = 'reads' | 'computes' | 'changes'

export const methodEffects: { readonly [M in MethodName]: MethodEffect } = {
  'system.doctor': 'computes', // starts both compute processes
  'files.inspect': 'computes', // hashes any file of the machine
  'tasksets.inspect': 'computes', // reads any file of the machine
  'models.list': 'reads',
  'models.add': 'changes',
  'models.preview': 'computes',
  'jobs.start': 'changes',
  'jobs.get': 'reads',
  'jobs.list': 'reads',
  'jobs.cancel': 'changes',
  'recipes.list': 'reads',
  'runs.start': 'changes',
  'runs.learn': 'changes',
  'runs.resume': 'changes',
  'runs.pause': 'changes',
  'runs.cancel': 'changes',
  'runs.list': 'reads',
  'runs.show': 'reads',
  'runs.events': 'reads',
  'runs.rows': 'reads',
  'store.check': 'computes', // hashes every file of the store
  'store.size': 'reads',
  'runs.page': 'reads',
  'runs.view': 'reads',
  'runs.candidates': 'reads',
  'runs.candidate': 'reads',
  'runs.sequences': 'computes', // starts the generator
  'runs.review': 'changes',
  'runs.lineage': 'reads',
  'imports.read': 'changes',
  'evidence.report': 'reads',
  'evidence.sample': 'reads',
  'evidence.label': 'changes',
  'evidence.calibration': 'reads',
  'capsules.pack': 'changes',
  'capsules.verify': 'computes', // reads any file of the machine
  'capsules.replay': 'changes',
  'capsules.grade': 'computes',
  'adapters.page': 'reads',
  'adapters.compare': 'reads',
  'adapters.export': 'changes',
  'minds.list': 'reads',
  'minds.create': 'changes',
  'minds.fork': 'changes',
  'minds.view': 'reads',
  'minds.event': 'reads',
  'minds.lessons': 'reads',
}
