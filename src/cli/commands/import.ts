import { countOf } from '../../base/count.ts'
import { visible } from '../../base/visible.ts'
import { POSITIONS } from '../../prompt/layout.ts'
import type { NamesFrom } from '../../prompt/official-import.ts'
import type { ImportResult } from '../../runs/import.ts'
import type { ImportedWeights } from '../../runs/import-weights.ts'
import { defineCommand } from '../command.ts'
import { flags, oneOf, text } from '../options.ts'
import { DATA, EVERY, force, transforms } from '../shared-options.ts'

export const importCommand = defineCommand({
  name: 'import',
  summary: 'make a run from a prompt that the official CoOp code learned, or from class weights',
  details:
    'Reads the context vectors of prompt_learner/model.pth.tar-N without executing anything in it, checks them against ' +
    'the model, and writes a run for coop-ts evaluate, coop-ts classify and coop-ts words. Class names are read from the file, or ' +
    'given by you and checked against it. The class position is not in the file: it is taken from the folder name that the ' +
    'official scripts use (nctx16_cscFalse_ctpend), or from --position. Class weights, a matrix (classes, embed), are read from a .safetensors ' +
    'file with its labels, or from a .npy file with labels.json beside it, as coop-ts export --format weights writes them.',
  operands: [
    {
      name: 'file',
      help: 'checkpoint of the official code, such as model.pth.tar-50, or class weights (.safetensors, .npy)',
    },
  ],
  examples: [
    'coop-ts import prompt_learner/model.pth.tar-50 --model RN50.pt --position end --out runs/imagenet',
    'coop-ts import model.pth.tar-200 --model RN50.pt --position middle --data caltech101 --root ~/data --out runs/caltech',
    'coop-ts import exported/weights.safetensors --model RN50.pt --out runs/weights',
  ],
  options: {
    model: text('a folder, an OpenAI file, or a model on the hub').register(flags, {
      flag: '--model',
      argument: 'MODEL',
      help: 'CLIP that the prompt or the weights were learned on: RN50.pt, a folder, or owner/name[@revision] on the hub; required',
    }),
    out: text('a folder').register(flags, {
      flag: '--out',
      argument: 'RUN',
      help: 'folder to write the run to; required',
    }),
    position: oneOf(POSITIONS).optional().register(flags, {
      flag: '--position',
      argument: 'WHERE',
      help: 'position of the class name: end, middle or front',
      otherwise: 'taken from the folder names of FILE',
    }),
    classes: text('a file').optional().register(flags, {
      flag: '--classes',
      argument: 'NAMES',
      help: 'file of class names: one per line, or a JSON list',
      otherwise: 'those in FILE',
    }),
    data: text('a data set').optional().register(flags, {
      flag: '--data',
      argument: 'DATA',
      help: 'data set to take the class names from',
      otherwise: 'those in FILE',
    }),
    ...DATA,
    transforms,
    force,
    ...EVERY,
  },
  async run(settings, [file = ''], hooks) {
    const { importWeights, isClassWeights } = await import('../../runs/import-weights.ts')
    if (isClassWeights(file)) {
      const result = await importWeights(file, settings, hooks)
      return { json: result, text: weightsText(result) }
    }
    const { importCheckpoint } = await import('../../runs/import.ts')
    const result = await importCheckpoint(file, settings, hooks)
    return { json: result, text: textOf(result) }
  },
})

/** How the class names are known. */
const NAMES: Readonly<Record<NamesFrom, string>> = {
  checkpoint: 'names read from the file',
  verified: 'the given names match the file',
  transferred: 'the given names; the prompt was learned with others',
  given: 'the given names; the file has none',
}

const PLACES: Readonly<Record<ImportResult['position'], string>> = {
  end: 'at the end',
  middle: 'in the middle',
  front: 'in front',
}

function textOf({ run, M, position, classSpecific, classNames, names, before, epoch }: ImportResult): string {
  const context = classSpecific ? 'for each class' : 'for all classes'
  const trained = epoch === undefined ? '' : `, of epoch ${epoch}`
  return [
    `${countOf(M, 'context vector')} ${context}, class name ${PLACES[position]}${trained}`,
    `${countOf(classNames.length, 'class', 'classes')} (${NAMES[names]}): ${firstOf(classNames)}`,
    ...(before === undefined ? [] : [`fixed before each class name: ${JSON.stringify(before)}`]),
    `saved in ${run}`,
    `Try it: coop-ts evaluate ${run} DATA`,
  ].join('\n')
}

function weightsText({ run, classNames }: ImportedWeights): string {
  return [
    `class weights of ${countOf(classNames.length, 'class', 'classes')}: ${firstOf(classNames)}`,
    `saved in ${run}`,
    `Try it: coop-ts evaluate ${run} DATA`,
  ].join('\n')
}

const firstOf = (names: readonly string[]) =>
  names.slice(0, 6).map(visible).join(', ') + (names.length > 6 ? ' ...' : '')
