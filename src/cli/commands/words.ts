import { countOf } from '../../base/count.ts'
import { visible } from '../../base/visible.ts'
import { columns } from '../../report/text.ts'
import type { RunWords, VectorWords } from '../../runs/words.ts'
import { defineCommand } from '../command.ts'
import { flags, toggle, whole } from '../options.ts'
import { COMPUTING, modelOfRun, runOperand } from '../shared-options.ts'

/** Classes that are shown of a run with a context for each. */
const SHOWN_CLASSES = 5

export const nearestWords = defineCommand({
  name: 'words',
  summary: 'show the words nearest to the learned vectors',
  details:
    'For each learned context vector, lists the words of the vocabulary with the nearest embeddings and their Euclidean ' +
    'distances (Table 4 of the paper). The nearest word can still be far away, and need not be what the vector means. ' +
    'A hyphen marks pieces: pho- begins longer words, -ple also ends longer ones.',
  operands: [runOperand],
  examples: ['coop-ts words runs/photos', 'coop-ts words runs/photos --top 3 --json'],
  options: {
    count: whole(1).default(1).register(flags, { flag: '--top', argument: 'N', help: 'words shown for each vector' }),
    allTokens: toggle().register(flags, {
      flag: '--all-tokens',
      help: "include pieces of words and punctuation, as in the paper's table",
    }),
    model: modelOfRun,
    ...COMPUTING,
  },
  async run(settings, [run = ''], hooks) {
    const { wordsOfRun } = await import('../../runs/words.ts')
    const words = await wordsOfRun(run, settings, hooks)
    return { json: words, text: `${ABOUT}\n\n${textOf(words)}` }
  },
})

function textOf({ contexts }: RunWords): string {
  const blocks = contexts
    .slice(0, SHOWN_CLASSES)
    .map(({ className, vectors }) =>
      className === undefined ? tableOf(vectors) : `${visible(className)}\n${tableOf(vectors)}`,
    )
  const more = contexts.length - blocks.length
  return [
    ...blocks,
    ...(more > 0 ? [`... and ${countOf(more, 'more class', 'more classes')}: --json shows all`] : []),
  ].join('\n\n')
}

const ABOUT =
  'Learned vectors by their place, the nearest words and how far they are (Euclidean distance); a hyphen marks pieces of words.'

/** A word, with a hyphen where it is a piece of one. */
export const marked = ({ word, piece }: VectorWords['words'][number]): string =>
  piece === 'start' ? `${word}-` : piece === 'ending' ? `-${word}` : word

/** A line a vector. */
function tableOf(vectors: readonly VectorWords[]): string {
  const cells = vectors.map(({ vector, words }) => [
    String(vector),
    ...words.flatMap((near) => [marked(near), near.distance.toFixed(4)]),
  ])
  return columns(cells)
}
