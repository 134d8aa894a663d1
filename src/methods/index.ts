import { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { nearestWord } from '../base/spelling.ts'
import { classMean } from './class-mean/index.ts'
import { clipAdapter } from './clip-adapter/index.ts'
import { cocoop } from './cocoop/index.ts'
import { coop } from './coop/index.ts'
import { kgcoop } from './kgcoop/index.ts'
import { linearProbe } from './linear-probe/index.ts'
import { lpPlusPlus } from './lp-plus-plus/index.ts'
import type { AnyMethod } from './method.ts'
import { tipAdapter, tipAdapterF } from './tip-adapter/index.ts'
import { zeroShot } from './zero-shot/index.ts'

/** All methods, in the order of lists and reports. A new one is a folder beside this file and a row here. */
export const METHODS: readonly AnyMethod[] = [
  zeroShot,
  classMean,
  linearProbe,
  lpPlusPlus,
  tipAdapter,
  tipAdapterF,
  clipAdapter,
  coop,
  cocoop,
  kgcoop,
]

/** Throws UsageError naming all methods when there is none of that name. */
export function methodNamed(name: string): AnyMethod {
  const found = METHODS.find((method) => method.name === name)
  if (found) return found
  const near = nearestWord(
    name,
    METHODS.map((method) => method.name),
  )
  throw new UsageError(
    `there is no method ${JSON.stringify(name)}${near === undefined ? '' : `; "${near}" may be meant`}`,
    `the methods are ${METHODS.map((method) => method.name).join(', ')}`,
  )
}

/** Names of a method's settings, in the order of its table. */
export function settingNames({ settings }: Pick<AnyMethod, 'settings'>): string[] {
  return settings instanceof z.ZodObject ? Object.keys(settings.shape) : []
}

export type { CheckpointStore, LearnOptions, Step } from '../learning/types.ts'
export type { AnyMethod, Classes, ImageClassifier, Learned, Method, Task } from './method.ts'
