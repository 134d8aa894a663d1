import { z } from 'zod'
import { anObject, aSource, aTensor, aText, checkArguments, someTexts, withMembers } from '../base/arguments.ts'
import { CoopError, FileError } from '../base/errors.ts'
import type { Clip } from '../clip/types.ts'
import { parseJson } from '../formats/json.ts'
import { type ByteSource, openSafetensors } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import { HASH, openSealed, writeSealedSync } from '../formats/sealed.ts'
import type { FloatTensor } from '../graph/tensor.ts'
import { POSITIONS, type PromptShape } from './layout.ts'

/** What CoOp learns, and all that is needed to use it with its model. */
export interface LearnedPrompt extends PromptShape {
  /** `(M, width)`, or `(classes, M, width)` where each class has its own context. */
  readonly ctx: FloatTensor
  readonly classNames: readonly string[]
  /** Fingerprint of the model it was learned on. */
  readonly model: string
}

const aPromptShape = withMembers(
  'the form of a prompt { M, position, classSpecific }',
  'M',
  'position',
  'classSpecific',
)
/** For arguments: what is read from files is checked by its schema. */
export const aPrompt = withMembers(
  'a prompt, as readPrompt gives it',
  'ctx',
  'M',
  'position',
  'classSpecific',
  'classNames',
  'model',
)

/**
 * What training gives, ready to be used and saved.
 * @param model fingerprint of the model
 */
export function learnedPrompt(
  model: string,
  classNames: readonly string[],
  shape: PromptShape,
  ctx: FloatTensor,
): LearnedPrompt {
  checkArguments(
    'learnedPrompt',
    { model, classNames, shape, ctx },
    { model: aText, classNames: someTexts, shape: aPromptShape, ctx: aTensor },
  )
  const { M, position, classSpecific, fixed } = shape
  return { M, position, classSpecific, fixed, ctx, classNames, model }
}

const FORMAT = 'coop-prompt-1'

const metadataSchema = z.object({
  format: z.literal(FORMAT),
  M: z.int().min(1),
  position: z.enum(POSITIONS),
  classSpecific: z.boolean(),
  fixed: z.array(z.int().min(0)).optional(),
  classNames: z.array(z.string()).min(1),
  model: z.string().regex(/^[0-9a-f]+$/),
})

/**
 * The bytes of a safetensors file: `ctx` in float32; the rest, and any other settings given, as JSON in the
 * metadata entries `prompt` and `settings`; the SHA-256 of all of it in `sha256`.
 */
export function writePrompt(
  prompt: LearnedPrompt,
  settings: Readonly<Record<string, unknown>> = {},
): Uint8Array<ArrayBuffer> {
  checkArguments('writePrompt', { prompt, settings }, { prompt: aPrompt, settings: anObject })
  const { ctx, M, position, classSpecific, fixed, classNames, model } = prompt
  checkArguments('writePrompt', { ctx, classNames, model }, { ctx: aTensor, classNames: someTexts, model: aText })
  const about = { format: FORMAT, M, position, classSpecific, fixed, classNames, model }
  return writeSealedSync(new Map([['ctx', ctx]]), {
    prompt: JSON.stringify(about),
    settings: JSON.stringify(settings),
  })
}

/**
 * Reads what writePrompt wrote. Throws FileError when a bit of the file is not what was written (earlier versions wrote no
 * hash: those files are read as they are), when it is something else, or contradicts itself.
 */
export async function readPrompt(source: ByteSource): Promise<LearnedPrompt> {
  checkArguments('readPrompt', { source }, { source: aSource })
  const file = await openSafetensors(source)
  if (file.metadata.has(HASH)) await openSealed(source)
  const text = file.metadata.get('prompt')
  if (text === undefined || !file.entries.has('ctx')) {
    throw new FileError(`${source.name} contains no learned prompt`, 'give the prompt.safetensors of a training run')
  }
  const what = `${source.name} (metadata "prompt")`
  const { format: _, ...about } = readSchema(metadataSchema, parseJson(text, what), what)
  const ctx = await file.readFloat('ctx')
  const leading = about.classSpecific ? [about.classNames.length, about.M] : [about.M]
  if (ctx.shape.length !== leading.length + 1 || leading.some((n, i) => ctx.shape[i] !== n)) {
    throw new FileError(
      `${source.name}: ctx has shape (${ctx.shape.join(', ')}), but its metadata says (${leading.join(', ')}, width)`,
    )
  }
  if (ctx.data.some((x) => !Number.isFinite(x))) {
    throw new FileError(`${source.name}: ctx has values that are not numbers`)
  }
  return { ...about, ctx }
}

/** Throws CoopError when a prompt was learned with another model; the names are for the message. */
export function checkFits(
  { ctx, model }: LearnedPrompt,
  clip: Clip,
  names = { prompt: 'the prompt', model: 'this model' },
): void {
  const width = ctx.shape.at(-1)
  const own = clip.config.text.width
  if (width === own && model === clip.fingerprint) return
  const why =
    width === own
      ? `fingerprint ${model.slice(0, 12)}..., that of ${names.model} is ${clip.fingerprint.slice(0, 12)}...`
      : `its vectors have ${width} values, but the words of ${names.model} have ${own}`
  throw new CoopError(
    `${names.prompt} was learned with another model: ${why}`,
    'give the model that the prompt was learned with, or learn the prompt again',
  )
}
