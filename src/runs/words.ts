import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { distinctNames } from '../data/class-names.ts'
import { type NearestOptions, type NearWord, nearestWords } from '../prompt/nearest-words.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { withRuntime } from './model.ts'
import { clipOf } from './open-run.ts'
import { readSavedRun } from './saved-run.ts'

/** A context vector and the words nearest to it, nearest first. */
export interface VectorWords {
  /** Its place in the context, counted from 1. */
  readonly vector: number
  readonly words: readonly Omit<NearWord, 'token'>[]
}

/** What a run's vectors are near to: one context, or one for each class. */
export interface RunWords {
  readonly contexts: readonly { readonly className?: string; readonly vectors: readonly VectorWords[] }[]
}

export interface WordsOptions extends RuntimeOptions, NearestOptions {
  /** Where the model of the run is now; default: where it was. */
  readonly model?: string
}

/**
 * The words nearest to each vector that a finished run has learned, by Euclidean distance (Table 4 of the paper).
 * Throws UsageError where its method learns no vectors, CoopError where run and model do not go together.
 */
export async function wordsOfRun(run: string, options: WordsOptions, hooks: Hooks): Promise<RunWords> {
  const saved = await readSavedRun(run)
  const { method, settings, tensors, classNames } = saved
  const ctx = tensors.get('ctx')
  if (ctx === undefined) {
    throw new UsageError(
      `the run ${run} (${method.title(settings)}) learned no context vectors, so there are no nearest words`,
      'give a run of coop, cocoop, kgcoop or prograd',
    )
  }
  const [M = 0] = ctx.shape.slice(-2)
  const clip = await clipOf(saved, options.model, hooks)
  return withRuntime(options, hooks, async (runtime) => {
    const near = await nearestWords(clip, runtime, ctx, options)
    const rows = near.map((words, i) => ({
      vector: (i % M) + 1,
      words: words.map(({ word, piece, distance }) => ({ word, piece, distance })),
    }))
    const contextOf = (c: number) => rows.slice(c * M, (c + 1) * M)
    if (ctx.shape.length === 2) return { contexts: [{ vectors: contextOf(0) }] }
    return { contexts: distinctNames(classNames).map((className, c) => ({ className, vectors: contextOf(c) })) }
  })
}
