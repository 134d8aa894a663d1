/** Mean and standard deviation over seeds, as fractions of 1. */
export interface Accuracy {
  readonly mean: number
  readonly sd: number
}

/** Accuracy by the number of shots: `{"1": ..., "16": ...}`. */
export type Curve = Readonly<Record<string, Accuracy>>

export interface TaskResult {
  readonly name: string
  readonly title: string
  readonly classes: number
  readonly chance: number
  readonly zeroShot: number
  /** The hand-written prompt of the zero-shot figure. */
  readonly prompt: string
  /** One context for all classes. */
  readonly coop: Curve
  /** A context for each class. */
  readonly coopCsc: Curve
  /** Words of the vocabulary nearest to the learned context vectors, in their order. */
  readonly words?: readonly string[]
  /** Trained on one drawing style, tested on another; not part of the means. */
  readonly shift?: boolean
}

export interface DemoSettings {
  readonly seeds: readonly number[]
  readonly shots: readonly number[]
  readonly model: string
  /** The command that makes these figures again. */
  readonly command: string
}

/** What the demo found: means over the tasks without a shift, then each task. */
export interface DemoResult {
  readonly chance: number
  readonly zeroShot: number
  readonly coop: Curve
  readonly coopCsc: Curve
  readonly tasks: readonly TaskResult[]
  readonly settings: DemoSettings
  readonly seconds: number
}
