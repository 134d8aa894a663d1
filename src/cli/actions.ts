import { CoopError } from '../errors.ts'
import type { Hooks } from '../progress.ts'
import type { DemoResult } from '../report/types.ts'
import type { Settings } from './options.ts'

/** Accuracies are fractions of 1. */
export interface TrainResult {
  /** Accuracy of the hand-written prompts on the same test images. */
  readonly zeroShot: number
  readonly accuracy: number
  readonly steps: number
  readonly seconds: number
  /** Folder of the run. */
  readonly run: string
}

export interface EvaluateResult {
  readonly accuracy: number
  readonly perClass: Readonly<Record<string, number>>
}

export interface Classified {
  readonly file: string
  /** Most probable first. */
  readonly labels: readonly { readonly label: string; readonly probability: number }[]
}

export interface PretrainResult {
  readonly steps: number
  readonly loss: number
  readonly seconds: number
  readonly run: string
}

/** What the commands ask for. */
export interface Actions {
  demo(settings: Settings<'demo'>, hooks: Hooks): Promise<DemoResult>
  train(dir: string, settings: Settings<'train'>, hooks: Hooks): Promise<TrainResult>
  evaluate(run: string, dir: string, settings: Settings<'evaluate'>, hooks: Hooks): Promise<EvaluateResult>
  zeroShot(dir: string, settings: Settings<'zero-shot'>, hooks: Hooks): Promise<EvaluateResult>
  classify(
    run: string,
    images: readonly string[],
    settings: Settings<'classify'>,
    hooks: Hooks,
  ): Promise<readonly Classified[]>
  pretrain(settings: Settings<'pretrain'>, hooks: Hooks): Promise<PretrainResult>
}

const missing = (what: string) => async (): Promise<never> => {
  throw new CoopError(`${what} is not part of this build`)
}

/** The work behind each command, imported only when the command runs. */
export const actions: Actions = {
  demo: missing('demo'),
  train: missing('train'),
  evaluate: missing('evaluate'),
  zeroShot: missing('zero-shot'),
  classify: missing('classify'),
  pretrain: missing('pretrain'),
}
