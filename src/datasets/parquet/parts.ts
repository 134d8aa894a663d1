import { posix } from 'node:path'
import { FileError, UsageError } from '../../base/errors.ts'
import { type Part, partNamed } from '../../data/split.ts'
import type { CardConfig, DatasetCard } from './card.ts'

/** One file of a data set. */
export interface ParquetPart {
  /** Path below the data set's folder. */
  readonly path: string
  readonly split: Part | undefined
}

export interface ChosenParts {
  /** '' where the data set has no configurations. */
  readonly config: string
  readonly parts: readonly ParquetPart[]
  /** Splits that are none of train, val and test. */
  readonly leftOut: readonly string[]
}

/**
 * Which parquet files make up a data set, and which part each belongs to. The card's `configs` decide where it has any
 * that name parquet files; else the files' own names (`data/train-00000-of-00001.parquet`, `default/train/0000.parquet`).
 *
 * @param paths all files of the data set, `/` between folders
 * @param config one of several configurations; default: the one called so by the card, `default`, or the only one
 * @throws UsageError naming all configurations where `config` is none of them, or is needed
 * @throws FileError where there are no parquet files, or some of a numbered series are missing
 */
export function chooseParts(
  where: string,
  paths: readonly string[],
  card: DatasetCard,
  config: string | undefined,
): ChosenParts {
  const files = paths.filter((path) => path.toLowerCase().endsWith('.parquet')).sort()
  if (files.length === 0) throw new FileError(`${where} has no parquet files`, 'give a data set that has some')
  const fromCard = card.configs
    .map((entry) => ({ ...entry, parts: partsOfConfig(files, entry) }))
    .filter(({ parts }) => parts.length > 0)
  const named = fromCard.length > 0 ? fromCard : groupByFolder(files)
  const chosen = chooseConfig(where, named, config)
  checkComplete(
    where,
    chosen.parts.map(({ path }) => path),
  )
  const known = chosen.parts.map(({ path, split }) => ({ path, word: split, split: partNamed(split ?? '') }))
  const strange = known.filter(({ word, split }) => word !== undefined && split === undefined)
  return {
    config: chosen.name,
    parts: known.filter((part) => !strange.includes(part)).map(({ path, split }) => ({ path, split })),
    leftOut: [...new Set(strange.flatMap(({ word }) => word ?? []))],
  }
}

/** The part that a file is, by its own name or that of the nearest folder. */
export function splitOfPath(path: string): Part | undefined {
  const names = [posix.basename(path, '.parquet'), ...posix.dirname(path).split('/').reverse()]
  return names.flatMap((name) => name.split(/[-_.]/).flatMap((word) => partNamed(word) ?? []))[0]
}

interface NamedParts {
  readonly name: string
  readonly isDefault: boolean
  /** `split` as the card or the path has it. */
  readonly parts: readonly { readonly path: string; readonly split: string | undefined }[]
}

function partsOfConfig(files: readonly string[], { files: wanted }: CardConfig): NamedParts['parts'] {
  return wanted.flatMap(({ split, patterns }) => {
    const matches = patterns.filter((glob) => glob.split('*').length - 1 <= MAX_STARS).map(globPattern)
    return files.filter((path) => matches.some((match) => match.test(path))).map((path) => ({ path, split }))
  })
}

/** `*` stands for anything but `/`, `**` for anything, `?` for one character. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/^\.\//, '').replace(/\*\*\/?|\*|\?|[.+^$()[\]{}|\\]/g, (token) => {
    if (token.startsWith('**')) return '.*'
    if (token === '*') return '[^/]*'
    return token === '?' ? '[^/]' : `\\${token}`
  })
  return new RegExp(`^${source}$`)
}

/** Stars of one pattern; a card with more would keep the matching busy for hours. */
const MAX_STARS = 4

/** Files by their folder, folders that only name a part or are called `data` apart. */
function groupByFolder(files: readonly string[]): NamedParts[] {
  const groups = new Map<string, { path: string; split: string | undefined }[]>()
  for (const path of files) {
    const folders = posix.dirname(path).split('/')
    const name = folders.filter((folder) => !['.', 'data'].includes(folder) && splitOfPath(`${folder}/x`) === undefined)
    const group = groups.get(name.join('/')) ?? []
    group.push({ path, split: splitOfPath(path) })
    groups.set(name.join('/'), group)
  }
  return [...groups].map(([name, parts]) => ({ name, isDefault: name === '', parts }))
}

function chooseConfig(where: string, configs: readonly NamedParts[], asked: string | undefined): NamedParts {
  const names = configs.map(({ name }) => (name === '' ? '(none)' : name)).join(', ')
  if (asked !== undefined) {
    const found = configs.find(({ name }) => name === asked)
    if (found) return found
    throw new UsageError(`${where} has no configuration "${asked}"`, `its configurations are ${names}`)
  }
  const [first, ...more] = configs
  const found = configs.find(({ isDefault }) => isDefault) ?? configs.find(({ name }) => name === 'default')
  const only = found ?? (more.length === 0 ? first : undefined)
  if (only) return only
  throw new UsageError(
    `${where} has several configurations: ${names}`,
    'choose one: hf:owner/name:CONFIG, or the folder of one of them',
  )
}

/** Throws FileError where `-00001-of-00004` is there and others of the four are not. */
function checkComplete(where: string, files: readonly string[]): void {
  const series = new Map<string, Set<number>>()
  for (const file of files) {
    const [, before, number, total] = /^(.*)-(\d+)-of-(\d+)\.parquet$/i.exec(file) ?? []
    if (before === undefined) continue
    const key = `${before}-*-of-${total}`
    series.set(key, (series.get(key) ?? new Set<number>()).add(Number(number)))
  }
  for (const [name, numbers] of series) {
    const total = Number(name.slice(name.lastIndexOf('-') + 1))
    if (numbers.size >= total) continue
    throw new FileError(
      `${where}: only ${numbers.size} of the ${total} files of ${name}.parquet were found`,
      'download the others',
    )
  }
}
