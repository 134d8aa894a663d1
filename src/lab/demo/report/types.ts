/** Mean and standard deviation over seeds, as fractions of 1. */
export interface Accuracy {
  readonly mean: number
  readonly sd: number
}

/** Accuracy by the number of shots: `{"1": ..., "16": ...}`. */
export type Curve = Readonly<Record<string, Accuracy>>

/** A test picture, and what it is taken for. */
export interface Example {
  /** A small copy, as a data URL. */
  readonly picture: string
  readonly label: string
  /** By the hand-written prompt, and by the learned one (one context, most shots). */
  readonly before: string
  readonly after: string
}

/** What learning changed on the test pictures of a task. */
export interface Changed {
  readonly tested: number
  readonly putRight: number
  readonly madeWrong: number
  /** Some of those that changed. */
  readonly examples: readonly Example[]
}

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
  readonly changed?: Changed
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
