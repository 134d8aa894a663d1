import type { SampleTask } from '../data/samples.ts'

/** What to type next, as README has it: learning a copied sample task as the demo does, and using what was learned. */
export function sampleCommands({ name, template, classes }: SampleTask, folder: string): string[] {
  const data = shellWord(folder)
  const example = classes.at(-1)?.name ?? ''
  return [
    `npx coop-ts train ${data} --method coop --recipe fast --template "${template}" --out runs/${name}`,
    `npx coop-ts evaluate runs/${name} ${data}`,
    `npx coop-ts classify runs/${name} ${shellWord(`${folder}/test/${example}`)}`,
  ]
}

/** A path as it can be typed. */
const shellWord = (path: string): string => (/^[\w./\\:~@+-]+$/.test(path) ? path : `"${path}"`)

export const tryText = (commands: readonly string[]): string =>
  `Try it:\n${commands.map((line) => `  ${line}`).join('\n')}`
