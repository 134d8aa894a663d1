import { z } from 'zod'
import { aText, checkArguments, withMembers } from '../base/arguments.ts'
import { UsageError } from '../base/errors.ts'
import { nearestWord } from '../base/spelling.ts'
import { best } from './best/index.ts'
import { clap } from './clap/index.ts'
import { classMean } from './class-mean/index.ts'
import { clipAdapter } from './clip-adapter/index.ts'
import { cocoop } from './cocoop/index.ts'
import { coop } from './coop/index.ts'
import { gda } from './gda/index.ts'
import { kgcoop } from './kgcoop/index.ts'
import { linearProbe } from './linear-probe/index.ts'
import { lpPlusPlus } from './lp-plus-plus/index.ts'
import type { AnyMethod } from './method.ts'
import { prolip } from './prolip/index.ts'
import { ssText } from './ss-text/index.ts'
import { tipAdapter, tipAdapterF } from './tip-adapter/index.ts'
import { zeroShot } from './zero-shot/index.ts'

/** All methods, in the order of lists and reports. A new one is a folder beside this file and a row here. */
export const METHODS: readonly AnyMethod[] = [
  zeroShot,
  best,
  classMean,
  linearProbe,
  lpPlusPlus,
  gda,
  ssText,
  clap,
  tipAdapter,
  tipAdapterF,
  clipAdapter,
  prolip,
  coop,
  cocoop,
  kgcoop,
]

export const METHOD_NAMES: readonly string[] = METHODS.map(({ name }) => name)

const METHODS_EXPECTED = 'a list of methods, as defineMethod makes them'
const someMethods = z.array(withMembers(METHODS_EXPECTED, 'name', 'settings'), { error: METHODS_EXPECTED })

/**
 * The method of that name, one of `more` or else a row of METHODS. Throws UsageError naming all of them when there is none.
 */
export function methodNamed(name: string, more: readonly AnyMethod[] = []): AnyMethod {
  checkArguments('methodNamed', { name, more }, { name: aText, more: someMethods })
  const all = [...more, ...METHODS]
  const found = all.find((method) => method.name === name)
  if (found) return found
  const names = all.map((method) => method.name)
  const near = nearestWord(name, names)
  throw new UsageError(
    `there is no method ${JSON.stringify(name)}${near === undefined ? '' : ` (did you mean "${near}"?)`}`,
    `the methods are ${names.join(', ')}`,
  )
}
