import type { Hooks } from '../progress.ts'
import { checkFits } from '../prompt/learned-prompt.ts'
import { type NearestOptions, nearestWords } from '../prompt/nearest-words.ts'
import { modelOf, type RunOptions } from './folder.ts'
import { withModel } from './model.ts'
import { readRunPrompt } from './run.ts'

/** A context vector and the words nearest to it, nearest first. */
export interface VectorWords {
  /** Its place in the context, counted from 1. */
  readonly vector: number
  readonly words: readonly { readonly word: string; readonly distance: number }[]
}

/** What a run's vectors are near to: one context, or one for each class. */
export interface RunWords {
  readonly contexts: readonly { readonly className?: string; readonly vectors: readonly VectorWords[] }[]
}

export interface WordsOptions extends RunOptions, NearestOptions {}

/**
 * The words nearest to each vector that a finished run has learned, by Euclidean distance (Table 4 of the paper).
 * Throws CoopError where run and model do not go together.
 */
export async function wordsOfRun(run: string, options: WordsOptions, hooks: Hooks): Promise<RunWords> {
  const prompt = await readRunPrompt(run)
  const model = options.model ?? (await modelOf(run))
  return withModel(model, options, hooks, async (clip, runtime) => {
    checkFits(prompt, clip, { prompt: `the prompt of ${run}`, model })
    const near = await nearestWords(clip, runtime, prompt.ctx, options)
    const rows = near.map((words, i) => ({
      vector: (i % prompt.M) + 1,
      words: words.map(({ word, distance }) => ({ word, distance })),
    }))
    const contextOf = (c: number) => rows.slice(c * prompt.M, (c + 1) * prompt.M)
    if (!prompt.classSpecific) return { contexts: [{ vectors: contextOf(0) }] }
    return { contexts: prompt.classNames.map((className, c) => ({ className, vectors: contextOf(c) })) }
  })
}
