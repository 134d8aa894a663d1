import { z } from 'zod'
import { FileError } from '../../base/errors.ts'
import { mapOf } from '../../formats/schema.ts'
import type { ParquetColumn, ParquetFile } from './file.ts'

/** Names of the columns, where they are not among the usual ones. */
export interface ColumnOptions {
  readonly imageColumn?: string
  readonly labelColumn?: string
}

/** Where a file has its images and labels. */
export interface ImageColumns {
  readonly image: string
  readonly label: string
  /** Names of the numbered labels, as the file itself says. */
  readonly names: readonly string[] | undefined
}

const IMAGE_COLUMNS = ['image', 'img', 'picture', 'jpg', 'png']
const LABEL_COLUMNS = ['label', 'labels', 'class', 'fine_label', 'cls']

const featureSchema = z.looseObject({ _type: z.string().optional(), names: z.array(z.string()).optional() })
const noteSchema = z.object({ info: z.object({ features: mapOf(featureSchema) }) })
type Features = ReadonlyMap<string, z.output<typeof featureSchema>>

/**
 * The columns of images (bytes, or Hugging Face's struct of bytes and path) and labels (numbers or text): the one asked
 * for, the first with a usual name, or the only one that it can be. Throws FileError naming all columns where there is none.
 */
export function imageColumnsOf(file: ParquetFile, { imageColumn, labelColumn }: ColumnOptions = {}): ImageColumns {
  const features = featuresOf(file)
  const isOf = (type: string) => (name: string) => features.get(name)?._type === type
  const image = choose(file, 'images', ['image', 'bytes'], imageColumn, IMAGE_COLUMNS, isOf('Image'))
  const label = choose(file, 'labels', ['number', 'text'], labelColumn, LABEL_COLUMNS, isOf('ClassLabel'))
  return { image, label, names: features.get(label)?.names }
}

function featuresOf({ notes }: ParquetFile): Features {
  const note = noteSchema.safeParse(jsonOrNothing(notes.get('huggingface')))
  return note.success ? note.data.info.features : new Map()
}

/** The value of a JSON text; undefined if it is not JSON. */
export function jsonOrNothing(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function choose(
  { path, columns }: ParquetFile,
  what: string,
  kinds: readonly ParquetColumn['kind'][],
  asked: string | undefined,
  usual: readonly string[],
  declared: (name: string) => boolean,
): string {
  const fitting = columns.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name)
  const only = (names: readonly string[]) => (names.length === 1 ? names[0] : undefined)
  const found =
    asked !== undefined
      ? fitting.find((name) => name === asked)
      : (usual.find((name) => fitting.includes(name)) ?? only(fitting.filter(declared)) ?? only(fitting))
  if (found !== undefined) return found
  const there = columns.map(({ name, kind }) => `"${name}" (${kind})`).join(', ')
  const wanted = asked === undefined ? `column for the ${what}` : `column "${asked}" of ${kinds.join(' or ')}`
  throw new FileError(
    `${path}: no ${wanted}; the columns are ${there}`,
    `name it (--${what === 'images' ? 'image' : 'label'}-column NAME)`,
  )
}
