import type { NamesFrom } from '../../prompt/official-import.ts'
import type { ImportResult } from '../../runs/import.ts'
import { actions } from '../actions.ts'
import { defineCommand } from '../command.ts'

export const importPrompt = defineCommand({
  name: 'import',
  summary: 'make a run of a prompt that the official CoOp code learned',
  details:
    'Reads the context vectors of prompt_learner/model.pth.tar-N without executing anything in it, checks them against ' +
    'the model, and writes a run for coop evaluate, coop classify and coop words. Class names are read from the file, or ' +
    'given and compared with it. The class position is not in the file: it is taken from the folder name that the ' +
    'official scripts give (nctx16_cscFalse_ctpend), or from --position.',
  operands: [{ name: 'file', help: 'checkpoint of the official code, such as model.pth.tar-50' }],
  examples: [
    'coop import prompt_learner/model.pth.tar-50 --model RN50.pt --position end --out runs/imagenet',
    'coop import model.pth.tar-200 --model RN50.pt --position middle --data caltech101 --root ~/data --out runs/caltech',
  ],
  async run(settings, [file = ''], hooks) {
    const result = await actions.import(file, settings, hooks)
    return { json: result, text: textOf(result) }
  },
})

/** How the class names are known. */
const NAMES: Readonly<Record<NamesFrom, string>> = {
  checkpoint: 'names read from the file',
  verified: 'the given names are those of the file',
  transferred: 'the given names; it was learned on others',
  given: 'the given names; the file has none',
}

const PLACES: Readonly<Record<ImportResult['position'], string>> = {
  end: 'at the end',
  middle: 'in the middle',
  front: 'in front',
}

function textOf({ run, M, position, classSpecific, classNames, names, epoch }: ImportResult): string {
  const context = classSpecific ? 'for each class' : 'for all classes'
  const trained = epoch === undefined ? '' : `, of epoch ${epoch}`
  return [
    `${M} context vectors ${context}, class name ${PLACES[position]}${trained}`,
    `${classNames.length} classes (${NAMES[names]}): ${classNames.slice(0, 6).join(', ')}${classNames.length > 6 ? ' ...' : ''}`,
    `kept in ${run}`,
    `Try it: coop evaluate ${run} DATA`,
  ].join('\n')
}
