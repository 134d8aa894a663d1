import type { TensorFile } from '../tensor-file.ts'
import { broken } from './broken.ts'
import { isScriptModule } from './meanings.ts'
import type { TorchFile } from './open.ts'
import { PyDict, PyGlobal, PyObject, type PyValue, TensorRef } from './values.ts'

/** Modules in modules; the deepest of CLIP has six. */
const MAX_DEPTH = 64
/** Visited values; a file whose dictionaries refer to one another could go on for ever. */
const MAX_VALUES = 1_000_000
const MAX_NAME = 1000
/** Where a pickled module keeps its tensors and parts; these are no part of their names. */
const MODULE_PARTS = ['_parameters', '_buffers', '_modules']

/**
 * The tensors of a state dictionary, of a TorchScript module or of a pickled module, by their names in the state
 * dictionary: keys and attributes joined with dots. What is no tensor is left out.
 */
export function namedTensors(file: TorchFile, value: PyValue = file.root): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  let visited = 0
  const visit = (at: PyValue, name: string, depth: number): void => {
    if (depth > MAX_DEPTH) throw broken(file.name, 'its contents are nested too deeply')
    if (++visited > MAX_VALUES) throw broken(file.name, 'it contains too many values')
    if (name.length > MAX_NAME) throw broken(file.name, `a tensor has a name of ${name.length} characters`)
    if (at instanceof TensorRef) tensors.set(name, at)
    else checkUnderstood(file.name, name, at)
    for (const [key, inner] of partsOf(at)) visit(inner, key === '' ? name : join(name, key), depth + 1)
  }
  visit(value, '', 0)
  return tensors
}

/** Throws FileError for a tensor of a kind that is not supported (quantised, sparse ...). */
function checkUnderstood(file: string, name: string, value: PyValue): void {
  if (!(value instanceof PyObject) || !(value.callee instanceof PyGlobal)) return
  if (!/^torch\._(utils|tensor)\._rebuild/.test(value.callee.name)) return
  throw broken(
    file,
    `tensor ${JSON.stringify(name)} is made by ${value.callee.name}, which is not supported`,
    'save it again as an ordinary tensor (tensor.float().contiguous())',
  )
}

const join = (name: string, key: string) => (name === '' ? key : `${name}.${key}`)

/** Named parts of a value; the name '' adds nothing. */
function partsOf(value: PyValue): [string, PyValue][] {
  if (value instanceof PyDict) return textEntries(value)
  if (!(value instanceof PyObject) || !(value.state instanceof PyDict)) return []
  const attributes = textEntries(value.state)
  if (isScriptModule(value)) return attributes
  return attributes.flatMap(([key, inner]): [string, PyValue][] => (MODULE_PARTS.includes(key) ? [['', inner]] : []))
}

function textEntries({ entries }: PyDict): [string, PyValue][] {
  return [...entries].flatMap(([key, value]): [string, PyValue][] => (typeof key === 'string' ? [[key, value]] : []))
}

/** A value of a saved dictionary, or undefined. */
export function itemOf(value: PyValue, key: string): PyValue | undefined {
  return value instanceof PyDict ? value.entries.get(key) : undefined
}

/** Tensors of an opened file under names; DataParallel's `module.` before all of them is left out. */
export function tensorFile(file: TorchFile, tensors: ReadonlyMap<string, TensorRef>): TensorFile {
  const wrapped = tensors.size > 0 && [...tensors.keys()].every((name) => name.startsWith(WRAPPER))
  const entries = new Map([...tensors].map(([name, ref]) => [wrapped ? name.slice(WRAPPER.length) : name, ref]))
  return {
    name: file.name,
    entries,
    async readFloat(name) {
      const ref = entries.get(name)
      if (ref === undefined) throw broken(file.name, `there is no tensor ${JSON.stringify(name)}`)
      return file.readFloat(ref, name)
    },
  }
}

const WRAPPER = 'module.'
