/** The puzzles of the taskset mini-grids: held-out families only, each as often in every split. */
import { gridText, sameGrid, type GridPair } from '../../src-shared/few-shot/grid.ts'
import { splits, type FewShotTask, type Split } from '../../src-shared/task.ts'
import { drawFrom, type Draw } from '../nano/draw.ts'
import { heldOutFamilies, predictions, trainedFamilies, type Family } from './families.ts'
import { drawPuzzle, drawSides, type WeightedSides } from './puzzles.ts'

const seed = 20261127
const demonstrations = 4
export const puzzlesPerFamily: Readonly<Record<Split, number>> = { train: 3, validation: 2, test: 4 }

export function miniGrids(sides: readonly WeightedSides[]): Readonly<Record<Split, readonly FewShotTask[]>> {
  const seen = new Set<string>()
  const tasksOf = (split: Split): FewShotTask[] =>
    Array.from({ length: puzzlesPerFamily[split] }, (_, number) =>
      heldOutFamilies.map((family) => {
        const draw = drawFrom('mini-grids', seed, split, family.name, number)
        const { pairs, key } = drawNew(draw, family, sides, seen)
        seen.add(key)
        return puzzleTask(`${split}-${family.name}-${number + 1}`, family.name, pairs)
      }),
    ).flat()
  const [train, validation, test] = splits.map(tasksOf) as [FewShotTask[], FewShotTask[], FewShotTask[]] // one per split
  return { train, validation, test }
}

/** A puzzle of the form of the taskset; the last pair is the test. */
export function puzzleTask(id: string, title: string, pairs: readonly GridPair[]): FewShotTask {
  const { input, output } = pairs.at(-1)!
  return {
    id,
    title,
    demonstrations: pairs.slice(0, -1),
    questions: [{ id: `${id}-0`, question: gridText(input), referenceAnswer: gridText(output), aliases: [] }],
  }
}

/** Drawn until it is new and only one answer fits its demonstrations, as far as the known families go. */
export function drawNew(
  draw: Draw,
  family: Family,
  sides: readonly WeightedSides[],
  seen: ReadonlySet<string>,
): { readonly pairs: readonly GridPair[]; readonly key: string } {
  for (;;) {
    const pairs = drawPuzzle(draw, family, drawSides(draw, sides), demonstrations + 1)?.pairs
    if (pairs === undefined || isAmbiguous(pairs)) continue
    const key = pairs.map(({ input }) => gridText(input)).join('\n\n')
    if (!seen.has(key)) return { pairs, key }
  }
}

/** Whether some family's rule makes the demonstrations but another output of the last input. */
export function isAmbiguous(pairs: readonly GridPair[]): boolean {
  const { input, output } = pairs.at(-1)!
  return [...trainedFamilies, ...heldOutFamilies].some((family) =>
    predictions(family, pairs.slice(0, -1), input).some((grid) => !sameGrid(grid, output)),
  )
}
